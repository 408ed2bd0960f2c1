from urllib.parse import unquote

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url

from harbor_core.lib import names
from portal import commands, preferences
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
from projects.models import Repository
from projects.selectors import browsing
from projects.selectors.projects import project_details


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
    }
    return respond(request, "portal/repositories/list.html", "portal/repositories/_table.html", context)


def _push_guide(request: HttpRequest, found: ProjectPage, name: str) -> commands.PushGuide | None:
    """None for who may not push here."""
    actor = actor_of(request)
    if not found.may("repository:push"):
        return None
    runtime = preferences.read(request).runtime
    return commands.push_guide(registry_for(request), runtime, f"{found.project.name}/{name}", actor.name)


@page("GET")
def repository_detail(request: HttpRequest, project: str, repository: str) -> HttpResponse:
    """Tags, or with ``view=artifacts`` the artifacts. Query besides: ``q``, ``sort``, ``page``, ``page_size``."""
    found = project_or_404(request, project, "artifact:list")
    row = repository_or_404(found, repository)
    shows_artifacts = request.GET.get("view") == "artifacts"
    context = {
        "found": found,
        "project": found.project,
        "repository": row,
        "name": repository,
        "view": "artifacts" if shows_artifacts else "tags",
        "tag_count": browsing.tag_count(row),
        "artifact_count": browsing.artifact_counts([row])[row.pk],
        "push_guide": _push_guide(request, found, repository),
    }
    context |= _artifacts(request, row, context) if shows_artifacts else _tags(request, row, context)
    table = "_artifacts.html" if shows_artifacts else "_tags.html"
    return respond(request, "portal/repositories/detail.html", f"portal/repositories/{table}", context)


def _tags(request: HttpRequest, repository: Repository, known: dict) -> dict:
    listing = Listing(
        request,
        sorts={"name": "name", "pushed": "push_time", "pulled": "pull_time", "size": "artifact__size"},
        default="-pushed",
    )
    tags = browsing.tag_list(repository, name=listing.query)
    rows = listing.fill(tags, None if listing.query else known["tag_count"])
    platforms = browsing.platforms_of({tag.artifact_id for tag in rows})
    registry, runtime = registry_for(request), preferences.read(request).runtime
    return {
        "listing": listing,
        "rows": [
            {
                "tag": tag,
                "artifact": tag.artifact,
                "platforms": platforms.get(tag.artifact_id, []),
                "command": commands.pull(registry, runtime, tag.artifact.type, repository.name, tag=tag.name),
            }
            for tag in rows
        ],
    }


def _artifacts(request: HttpRequest, repository: Repository, known: dict) -> dict:
    listing = Listing(
        request,
        sorts={"pushed": "push_time", "pulled": "pull_time", "size": "size"},
        default="-pushed",
        keep={"view": "artifacts"},
    )
    artifacts = browsing.artifact_list(repository, tag=listing.query)
    rows = listing.fill(artifacts, None if listing.query else known["artifact_count"])
    ids = [artifact.pk for artifact in rows]
    tags, platforms = browsing.tags_of(ids), browsing.platforms_of(ids)
    registry, runtime = registry_for(request), preferences.read(request).runtime
    return {
        "listing": listing,
        "rows": [
            {
                "artifact": artifact,
                "tags": tags.get(artifact.pk, ([], 0))[0],
                "more_tags": max(0, tags.get(artifact.pk, ([], 0))[1] - browsing.SHOWN_TAGS),
                "platforms": platforms.get(artifact.pk, []),
                "command": commands.pull(registry, runtime, artifact.type, repository.name, digest=artifact.digest),
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
