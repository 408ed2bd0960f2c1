"""The trash of a project, and for administrators what lies in all of them."""

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from harbor_core.services.config import config_get
from portal.bulk import Action, Selection
from portal.bulk_work import each, unconfirmed
from portal.listing import Listing
from portal.project_pages import open_project
from portal.shortcuts import Confirmation, ProjectPage, actor_of, confirm, confirmed, page, respond
from portal.templatetags.portal import count, size
from projects.models import TrashedArtifact
from projects.selectors import trash as selectors
from projects.services import trash as services
from projects.services.restore import Restored, restore


@page("GET")
def project_trash(request: HttpRequest, project: str) -> HttpResponse:
    """Query: ``q`` (part of a repository's name, a tag or a digest), ``repository`` (full name), sort and paging."""
    found = open_project(request, project, sees="artifact:delete")
    repository = request.GET.get("repository", "")[:255]
    listing = Listing(
        request,
        sorts={"deleted": "deleted_at", "size": "size", "expires": "expires_at", "repository": "repository_name"},
        default="-deleted",
        keep={"repository": repository},
    )
    rows = listing.fill(_rows(request, found))
    held = selectors.held(found.project.pk)
    may_empty = found.may("project:update")
    context = {
        "found": found,
        "project": found.project,
        "permissions": found.access.permissions,
        "listing": listing,
        "repository_name": repository,
        "rows": [(row, row.repository_name.partition("/")[2]) for row in rows],
        "held": held[0] if held else None,
        "days": config_get("trash_retention_days"),
        "may_empty": may_empty,
        "shows_operator": found.may("member:list"),
        "bulk": _actions(found, may_empty),
    }
    return respond(request, "portal/trash/project.html", "portal/trash/_table.html", context)


def _rows(request: HttpRequest, found: ProjectPage) -> QuerySet[TrashedArtifact]:
    given = request.GET
    query, repository = given.get("q", "").strip()[:255], given.get("repository", "").replace("\0", "")[:255]
    return selectors.deleted_artifacts(found.project.pk, name=query, repository=repository)


def _actions(found: ProjectPage, may_empty: bool) -> list[Action]:
    actions = [Action(_("Restore"), resolve_url("portal:trash-restore", found.project.pk), "archive-restore")]
    if may_empty:
        url = resolve_url("portal:trash-discard", found.project.pk)
        actions.append(Action(_("Delete for good"), url, "trash-2", danger=True))
    return actions


@page("GET", "POST")
def trash_restore(request: HttpRequest, project: str) -> HttpResponse:
    found = open_project(request, project, sees="artifact:delete")
    rows = _rows(request, found)
    selection = Selection.read(request).settled(rows)
    chosen, back = selection.of(rows), resolve_url("portal:trash", found.project.pk)
    if request.method == "POST":
        results: list[Restored] = []
        actor = actor_of(request)
        each(
            request,
            list(chosen.order_by("pk").values_list("pk", flat=True)),
            lambda pk: results.append(restore(actor, found.access, pk)),
            _("Artifacts restored: %(number)s"),
        )
        if taken := [f"{result.repository}:{tag}" for result in results for tag in result.taken]:
            text = _("Tags that belong to other artifacts by now stay there: %(names)s")
            messages.warning(request, text % {"names": ", ".join(taken[:5])})
        return redirect(back)
    number = chosen.count()
    if not number:
        return redirect(back)
    title = ngettext("Restore %(number)s artifact?", "Restore %(number)s artifacts?", number)
    asked = Confirmation(
        title=title % {"number": number},
        action=_("Restore"),
        danger=False,
        back=back,
        consequences=[
            _("Tags come back where they are free, with labels, signatures and children of an index."),
            _("A repository that was deleted is made again."),
            _("It counts towards the project's quota again."),
        ],
        fields=tuple(selection.fields),
    )
    return confirm(request, asked)


@page("GET", "POST")
def trash_discard(request: HttpRequest, project: str) -> HttpResponse:
    """Some rows, or the whole trash (``pick_all`` without a filter) for good."""
    found = open_project(request, project, sees="artifact:delete", does="project:update")
    rows = _rows(request, found)
    selection = Selection.read(request).settled(rows)
    chosen, back = selection.of(rows), resolve_url("portal:trash", found.project.pk)
    filtered = bool(request.GET.get("q") or request.GET.get("repository"))
    empties = selection.everything and not filtered
    number = chosen.count()
    if not number:
        return redirect(back)
    title = ngettext("Delete %(number)s artifact for good?", "Delete %(number)s artifacts for good?", number)
    asked = Confirmation(
        title=_("Empty the trash?") if empties else title % {"number": count(number)},
        action=_("Delete for good"),
        back=back,
        consequences=_losses(found, number, empties),
        fields=tuple(selection.fields),
        typed=found.project.name if empties else "",
    )
    if not confirmed(request, asked):
        return confirm(request, asked, **unconfirmed(request))
    _discard(request, found, chosen, everything=empties)
    return redirect(back)


def _discard(request: HttpRequest, found: ProjectPage, chosen: QuerySet[TrashedArtifact], *, everything: bool) -> None:
    actor, done = actor_of(request), _("Deleted for good: %(number)s")
    if everything:
        number = services.empty(actor, found.project.pk, found.project.name)
        messages.success(request, done % {"number": number})
        return
    ids = list(chosen.order_by("pk").values_list("pk", flat=True))
    each(request, ids, lambda pk: services.discard(actor, found.project.pk, pk), done)


def _losses(found: ProjectPage, number: int, empties: bool) -> list[str]:
    lines = [_("It cannot be restored afterwards, nor can tags that pointed to it.")]
    held = selectors.held(found.project.pk) if empties else []
    if held:
        text = _("%(number)s artifacts go, and %(size)s of storage with the next garbage collection.")
        lines.insert(0, text % {"number": count(number), "size": size(held[0].size)})
    return lines


@page("GET")
def trash_overview(request: HttpRequest) -> HttpResponse:
    if not actor_of(request).is_sysadmin:
        raise Http404
    held = selectors.held()
    context = {
        "held": held,
        "artifacts": sum(item.artifacts for item in held),
        "size": sum(item.size for item in held),
        "days": config_get("trash_retention_days"),
    }
    return render(request, "portal/trash/overview.html", context)
