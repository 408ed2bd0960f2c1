"""Repositories, artifacts and tags: ask with what would go, then delete. The rows are those ticked in a table, or all
that match its filter (portal.bulk)."""

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal import losses
from portal.bulk import Selection
from portal.bulk_work import each, unconfirmed
from portal.isolation import named
from portal.project_pages import open_project
from portal.shortcuts import Confirmation, actor_of, confirm, confirmed, page, repository_or_404
from portal.tables import facets_of
from projects.selectors import browsing, consequences
from projects.selectors.consequences import COUNTED
from projects.services import artifacts as artifact_services
from projects.services import repositories as repository_services
from projects.services import tags as tag_services


def _query(request: HttpRequest) -> str:
    return request.GET.get("q", "").strip()


def _back(path: str, request: HttpRequest, **more: str) -> str:
    """The table as it was filtered."""
    keep = {name: request.GET[name] for name in ("q", "sort", "label", "type", "platform") if request.GET.get(name)}
    values = more | keep
    return f"{path}?{urlencode(values)}" if values else path


@page("GET", "POST")
def repositories_delete(request: HttpRequest, project: str) -> HttpResponse:
    found = open_project(request, project, sees="repository:list", does="repository:delete")
    rows = browsing.repository_list(found.project, name=_query(request))
    selection = Selection.read(request).settled(rows)
    chosen = selection.of(rows)
    back = _back(resolve_url("portal:repositories", found.project.pk), request)
    loss = consequences.of_repositories(found.project, chosen)
    if not loss.repositories:
        return redirect(back)
    single = chosen.first() if loss.repositories == 1 else None
    title = ngettext("Delete %(number)s repository?", "Delete %(number)s repositories?", loss.repositories)
    blocked = [_("Immutable tags keep it: %(names)s") % {"names": losses.listed(loss.immutable)}]
    partly = loss.immutable.total and loss.repositories > 1
    stays = []
    if partly:
        stays = [_("Repositories with immutable tags stay: %(names)s") % {"names": losses.listed(loss.immutable)}]
    elif loss.may_keep and not loss.immutable.total:
        stays = [_("A repository with immutable tags stays as it is.")]
    asked = Confirmation(
        title=_("Delete repository %(name)s?") % named(single.name)
        if single
        else title % {"number": losses.number(loss.repositories)},
        action=_("Delete"),
        back=back,
        consequences=[
            *losses.what_goes(loss),
            *stays,
            _("Pulls of what is deleted fail from then on."),
            losses.way_back(),
        ],
        blockers=blocked if loss.immutable.total and not partly else (),
        fields=tuple(selection.fields),
        typed=single.name if single else "",
    )
    if not confirmed(request, asked):
        return confirm(request, asked, **unconfirmed(request))
    actor = actor_of(request)
    each(
        request,
        chosen.order_by("name").iterator(),
        lambda row: repository_services.delete(actor, row),
        _("Repositories deleted: %(number)s"),
    )
    return redirect(back)


@page("GET", "POST")
def tags_delete(request: HttpRequest, project: str, repository: str) -> HttpResponse:
    """A tag is a name: what it points to stays, and shows as untagged when it was the last."""
    found = open_project(request, project, sees="artifact:list", does="tag:delete")
    row = repository_or_404(found, repository)
    rows = browsing.tag_list(row, name=_query(request), facets=facets_of(request))
    selection = Selection.read(request).settled(rows)
    chosen = selection.of(rows)
    back = _back(resolve_url("portal:repository", found.project.pk, repository), request)
    if request.method == "POST":
        actor = actor_of(request)
        names = list(chosen.order_by("name").values_list("name", flat=True))
        each(request, names, lambda name: tag_services.delete(actor, row, name), _("Tags deleted: %(number)s"))
        return redirect(back)
    loss = consequences.of_tags(found.project, chosen)
    if not loss.tags.total:
        return redirect(back)
    title = ngettext("Delete tag %(names)s?", "Delete %(number)s tags?", loss.tags.total)
    nothing_goes = loss.immutable.total == loss.tags.total <= COUNTED
    asked = Confirmation(
        title=title % {"number": losses.number(loss.tags.total), "names": losses.listed(loss.tags)},
        action=_("Delete"),
        back=back,
        consequences=[
            _("The name goes: %(names)s") % {"names": losses.listed(loss.tags)},
            _("Artifacts stay and can be pulled by digest; one that has no tag left shows as untagged."),
            _("To free storage delete the artifact: all its tags go with it."),
            *losses.what_stays(loss),
            _("A deleted tag can be restored for as long as its artifact is there."),
        ],
        blockers=list(losses.what_stays(loss)) if nothing_goes else (),
        fields=tuple(selection.fields),
    )
    return confirm(request, asked)


@page("GET", "POST")
def artifacts_delete(request: HttpRequest, project: str, repository: str) -> HttpResponse:
    found = open_project(request, project, sees="artifact:list", does="artifact:delete")
    row = repository_or_404(found, repository)
    selection = Selection.read(request)
    rows = browsing.artifact_list(row, tag=_query(request), facets=facets_of(request))
    if not selection.everything:  # also what no list shows: a child of an index, an accessory
        rows = browsing.every_artifact(row)
    selection = selection.settled(rows)
    chosen = selection.of(rows)
    back = _back(resolve_url("portal:repository", found.project.pk, repository), request, view="artifacts")
    if request.method == "POST":
        actor = actor_of(request)
        each(
            request,
            list(chosen.order_by("pk")),
            lambda artifact: artifact_services.delete(actor, artifact),
            _("Artifacts deleted: %(number)s"),
        )
        return redirect(back)
    loss = consequences.of_artifacts(found.project, chosen)
    if not loss.artifacts:
        return redirect(back)
    title = ngettext("Delete %(number)s artifact?", "Delete %(number)s artifacts?", loss.artifacts)
    stays = list(losses.what_stays(loss))
    asked = Confirmation(
        title=title % {"number": losses.number(loss.artifacts)},
        action=_("Delete"),
        back=back,
        consequences=[
            *losses.what_goes(loss),
            *stays,
            _("To take off one name only, delete the tag instead."),
            losses.way_back(),
        ],
        blockers=stays if loss.artifacts == 1 else (),
        fields=tuple(selection.fields),
    )
    return confirm(request, asked)
