from typing import Any
from urllib.parse import unquote

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.utils.translation import gettext as _

from harbor_core.lib import names
from portal import commands, mirror_guides, preferences, tables
from portal.bulk import Action
from portal.listing import Listing
from portal.shortcuts import (
    ProjectPage,
    actor_of,
    page,
    project_or_404,
    registry_for,
    repository_or_404,
    respond,
)
from portal.views.artifacts import artifact_detail
from portal.views.repository_pages import frame
from projects.models import Repository
from projects.selectors import browsing
from projects.selectors.immutability import rules_of
from projects.selectors.labels import labels_for, labels_of
from projects.selectors.projects import project_details
from projects.services.metadata import MIRROR
from replication.selectors.proxies import doubtful_artifacts, doubtful_tags, upstream_of


@page("GET")
def repository_list(request: HttpRequest, project: str) -> HttpResponse:
    """Query: ``q`` (part of the name behind the project's), ``sort``, ``page``, ``page_size``."""
    found = project_or_404(request, project, "repository:list")
    listing = Listing(
        request,
        sorts={"name": "name", "pulls": "pull_count", "changed": "update_time", "created": "creation_time"},
        default="name",
    )
    repositories = listing.fill(browsing.repository_list(found.project, name=listing.query))
    counts = browsing.artifact_counts(repositories)
    context = {
        "found": found,
        "project": found.project,
        "listing": listing,
        "details": project_details(actor_of(request), [found.project])[0],
        "used": browsing.storage_used([found.project.pk])[found.project.pk],
        "rows": [(item, item.name.partition("/")[2], counts[item.pk]) for item in repositories],
        "push_guide": _push_guide(request, found, "REPOSITORY"),
        "bulk": _bulk(found),
    } | _mirror(request, found)
    return respond(request, "portal/repositories/list.html", "portal/repositories/_table.html", context)


def _bulk(found: ProjectPage) -> list[Action]:
    if not found.may("repository:delete"):
        return []
    return [Action(_("Delete"), resolve_url("portal:repositories-delete", found.project.pk), "trash-2", danger=True)]


def _mirror(request: HttpRequest, found: ProjectPage) -> dict[str, Any]:
    """What runtimes must be told to pull through a proxy project; nothing for other projects."""
    remote = upstream_of(found.project) if found.access.proxy else None
    if remote is None:
        return {}
    names = found.project.metadata.get(MIRROR, "").split(",")
    guides = mirror_guides.mirror_guides(registry_for(request), remote, found.project.name, [n for n in names if n])
    return {"mirror_guides": guides, "upstream_name": mirror_guides.name_of(remote)}


def _push_guide(request: HttpRequest, found: ProjectPage, name: str) -> commands.PushGuide | None:
    """None for who may not push here; into a proxy cache nobody may."""
    actor = actor_of(request)
    if found.access.proxy or not found.may("repository:push"):
        return None
    runtime = preferences.read(request).runtime
    return commands.push_guide(registry_for(request), runtime, f"{found.project.name}/{name}", actor.name)


@page("GET")
def repository_detail(request: HttpRequest, project: str, repository: str) -> HttpResponse:
    """Tags, or with ``view=artifacts`` the artifacts. Query besides: ``q``, ``sort``, ``page``, ``page_size`` and the
    filters of portal.tables."""
    found = project_or_404(request, project, "artifact:list")
    row = repository_or_404(found, repository)
    shows_artifacts = request.GET.get("view") == "artifacts"
    context = frame(found, row, repository, "artifacts" if shows_artifacts else "tags")
    facets = tables.facets_of(request)
    labels = labels_for(found.project.pk) if context["artifact_count"] else []
    context |= {
        "facets": facets,
        "choices": tables.choices(facets, labels, tagged=shows_artifacts),
        "columns": tables.columns(request, context["view"]),
        "push_guide": _push_guide(request, found, repository),
    }
    context |= _artifacts(request, row, context) if shows_artifacts else _tags(request, row, context)
    table = "_artifacts.html" if shows_artifacts else "_tags.html"
    return respond(request, "portal/repositories/detail.html", f"portal/repositories/{table}", context)


def _tags(request: HttpRequest, repository: Repository, known: dict) -> dict:
    facets: browsing.Facets = known["facets"]
    listing = Listing(
        request,
        sorts={"name": "name", "pushed": "push_time", "pulled": "pull_time", "size": "artifact__size"},
        default="-pushed",
        keep=tables.kept(facets),
    )
    tags = browsing.tag_list(repository, name=listing.query, facets=facets)
    rows = listing.fill(tags, browsing.count_of(repository, tags) if listing.query or facets else known["tag_count"])
    ids = {tag.artifact_id for tag in rows}
    platforms, labels = browsing.platforms_of(ids), labels_of(ids)
    kept = rules_of(repository.project_id).protected(repository.name, [tag.name for tag in rows])
    registry, runtime = registry_for(request), preferences.read(request).runtime
    found, name = known["found"], known["name"]
    proxied = [tag.name for tag in rows] if found.access.proxy else []
    doubtful = doubtful_tags(repository.project_id, repository.name, proxied) if proxied else {}
    return {
        "listing": listing,
        "bulk": tables.tag_actions(found, name),
        "rows": [
            {
                "tag": tag,
                "artifact": tag.artifact,
                "platforms": platforms.get(tag.artifact_id, []),
                "labels": labels.get(tag.artifact_id, []),
                "immutable": tag.name in kept,
                "upstream": doubtful.get(tag.name),
                "command": commands.pull(registry, runtime, tag.artifact.type, repository.name, tag=tag.name),
                "menu": tables.tag_menu(found, name, tag),
            }
            for tag in rows
        ],
    }


def _artifacts(request: HttpRequest, repository: Repository, known: dict) -> dict:
    facets: browsing.Facets = known["facets"]
    listing = Listing(
        request,
        sorts={"pushed": "push_time", "pulled": "pull_time", "size": "size"},
        default="-pushed",
        keep={"view": "artifacts"} | tables.kept(facets),
    )
    artifacts = browsing.artifact_list(repository, tag=listing.query, facets=facets)
    rows = listing.fill(
        artifacts, browsing.count_of(repository, artifacts) if listing.query or facets else known["artifact_count"]
    )
    ids = [artifact.pk for artifact in rows]
    tags, platforms, labels = browsing.tags_of(ids), browsing.platforms_of(ids), labels_of(ids)
    registry, runtime = registry_for(request), preferences.read(request).runtime
    found, name = known["found"], known["name"]
    doubtful = doubtful_artifacts(repository.project_id, repository.name, ids) if found.access.proxy else {}
    return {
        "listing": listing,
        "bulk": tables.artifact_actions(found, name),
        "rows": [
            {
                "artifact": artifact,
                "tags": tags.get(artifact.pk, ([], 0))[0],
                "more_tags": max(0, tags.get(artifact.pk, ([], 0))[1] - browsing.SHOWN_TAGS),
                "platforms": platforms.get(artifact.pk, []),
                "labels": labels.get(artifact.pk, []),
                "upstream": doubtful.get(artifact.pk),
                "command": commands.pull(registry, runtime, artifact.type, repository.name, digest=artifact.digest),
                "menu": tables.artifact_menu(found, name, artifact),
            }
            for artifact in rows
        ],
    }


@page("GET")
def moved(request: HttpRequest, project: str, repository: str, tab: str, digest: str | None = None) -> HttpResponse:
    """Harbor's addresses name the tab in the path and encode the repository's slashes twice."""
    found = project_or_404(request, project, "artifact:list")
    literal = f"{repository}/{tab}-tab"
    if browsing.repository_find(found.project, literal):  # a repository that is really called so
        return (
            artifact_detail(request, project, literal, digest)
            if digest
            else repository_detail(request, project, literal)
        )
    name = unquote(repository)
    if not names.is_repository(f"x/{name}") or (digest and not names.is_digest(digest)):
        raise Http404
    if digest:
        return redirect("portal:artifact", found.project.pk, name, digest)
    return redirect(resolve_url("portal:repository", found.project.pk, name) + "?view=artifacts")
