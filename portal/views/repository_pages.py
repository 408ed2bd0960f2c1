"""About a repository besides its content: its description, what happened to its tags, what was deleted."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils.translation import gettext as _

from harbor_core.lib import names
from harbor_core.lib.errors import HarborError
from portal import markdown
from portal.forms.content import DescriptionForm
from portal.forms.submit import STATUS_WRONG, submit
from portal.listing import Listing
from portal.navigation import Link
from portal.project_pages import open_project
from portal.reasons import said
from portal.shortcuts import ProjectPage, actor_of, page, repository_or_404, respond
from projects.models import Repository, TagEvent
from projects.selectors import browsing, trash
from projects.selectors.tag_history import deletions_of, events_of
from projects.services import repositories as services
from projects.services import tag_history

_TRASH_SHOWN = 10


def frame(found: ProjectPage, repository: Repository, name: str, view: str) -> dict[str, Any]:
    """Context of portal/repositories/frame.html; ``view`` is the key of the current tab."""
    tags, artifacts = browsing.tag_count(repository), browsing.artifact_counts([repository])[repository.pk]
    return {
        "found": found,
        "project": found.project,
        "permissions": found.access.permissions,
        "repository": repository,
        "name": name,
        "view": view,
        "tag_count": tags,
        "artifact_count": artifacts,
        "repository_tabs": _tabs(found, name, view, tags, artifacts),
    }


def _tabs(found: ProjectPage, name: str, view: str, tags: int, artifacts: int) -> list[Link]:
    home = resolve_url("portal:repository", found.project.pk, name)
    known: list[tuple[str, str, str, str, int | None]] = [
        ("tags", _("Tags"), home, "tags", tags),
        ("artifacts", _("Artifacts"), f"{home}?view=artifacts", "package", artifacts),
        ("info", _("Info"), resolve_url("portal:repository-info", found.project.pk, name), "info", None),
        ("history", _("History"), resolve_url("portal:repository-history", found.project.pk, name), "history", None),
    ]
    if found.may("repository:push"):
        deleted = resolve_url("portal:repository-deleted", found.project.pk, name)
        known.append(("deleted", _("Deleted"), deleted, "trash-2", None))
    return [Link(label, url, icon, "page" if key == view else "", number) for key, label, url, icon, number in known]


@page("GET", "POST")
def info(request: HttpRequest, project: str, repository: str) -> HttpResponse:
    """The description; ``edit`` in the query opens the form, the button "preview" shows it without saving."""
    changes = request.method == "POST"
    found = open_project(request, project, sees="artifact:list", does="repository:update" if changes else "")
    row = repository_or_404(found, repository)
    form = DescriptionForm(request.POST if changes else None, initial={"description": row.description})
    previews = "preview" in request.POST
    if changes and not previews:
        text = request.POST.get("description", "").replace("\r\n", "\n")
        if submit(form, lambda: services.describe(actor_of(request), row, text)):
            messages.success(request, _("Description saved."))
            return redirect("portal:repository-info", found.project.pk, repository)
    may_edit = found.may("repository:update")
    shown = request.POST.get("description", "") if changes else row.description
    context = frame(found, row, repository, "info") | {
        "form": form,
        "edits": may_edit and (changes or "edit" in request.GET),
        "may_edit": may_edit,
        "previews": previews,
        "rendered": markdown.render(shown) if shown else "",
    }
    wrong = changes and not previews
    return render(request, "portal/repositories/info.html", context, status=STATUS_WRONG if wrong else 200)


@page("GET")
def history(request: HttpRequest, project: str, repository: str) -> HttpResponse:
    """Moves of every tag, or with ``tag`` in the query of one. Who did it is for those who may see the members."""
    found = open_project(request, project, sees="tag:list")
    row = repository_or_404(found, repository)
    tag = request.GET.get("tag", "")
    tag = tag if names.is_tag(tag) else ""
    listing = Listing(request, sorts={"when": "pk"}, default="-when", keep={"tag": tag})
    events = listing.fill(events_of(row, name=tag or listing.query))
    digests = {event.old_digest for event in events} | {event.new_digest for event in events}
    context = frame(found, row, repository, "history") | {
        "listing": listing,
        "tag": tag,
        "rows": events,
        "stored": browsing.stored_digests(row, digests),
        "may_restore": found.may("repository:push") and not found.access.proxy,
        "shows_operator": found.may("member:list"),
    }
    return respond(request, "portal/repositories/history.html", "portal/repositories/_history.html", context)


@page("GET")
def deleted(request: HttpRequest, project: str, repository: str) -> HttpResponse:
    """Tags that are gone and can be brought back, and the newest of the trash that was in this repository."""
    found = open_project(request, project, sees="tag:list", does="repository:push")
    row = repository_or_404(found, repository)
    listing = Listing(request, sorts={"when": "pk"}, default="-when")
    gone = deletions_of(row)
    rows: list[TagEvent] = listing.fill(gone.filter(name__icontains=listing.query) if listing.query else gone)
    sees_trash = found.may("artifact:delete")
    lying = trash.deleted_artifacts(found.project.pk, repository=row.name) if sees_trash else None
    context = frame(found, row, repository, "deleted") | {
        "listing": listing,
        "rows": rows,
        "shows_operator": found.may("member:list"),
        "trashed": list(lying.order_by("-deleted_at", "-pk")[:_TRASH_SHOWN]) if lying is not None else [],
        "sees_trash": sees_trash,
    }
    return respond(request, "portal/repositories/deleted.html", "portal/repositories/_deleted.html", context)


@page("POST")
def tag_restore(request: HttpRequest, project: str, repository: str) -> HttpResponse:
    """Form: ``tag``, and ``digest`` it pointed to, or nothing for where it was before."""
    found = open_project(request, project, sees="tag:list", does="repository:push")
    row = repository_or_404(found, repository)
    tag, digest = request.POST.get("tag", ""), request.POST.get("digest", "")
    if names.is_tag(tag) and (not digest or names.is_digest(digest)):
        try:
            pointed = tag_history.restore(actor_of(request), found.access, row, tag, digest=digest)
        except HarborError as error:
            if error.status >= 500:
                raise
            messages.error(request, _("Refused: %(reason)s") % {"reason": said(error.message)})
        else:
            text = _("Tag %(tag)s points to %(digest)s again.")
            messages.success(request, text % {"tag": tag, "digest": pointed.digest[:19]})
    back = resolve_url("portal:repository-history", found.project.pk, repository)
    return redirect(f"{back}?tag={tag}" if names.is_tag(tag) else back)
