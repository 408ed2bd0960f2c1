"""Repositories as lists and details show them."""

from dataclasses import dataclass

from django.core.cache import cache
from django.db.models import QuerySet

from auth.actor import Actor
from harbor_core.lib import sql
from harbor_core.lib.errors import HarborError
from harbor_core.lib.filtering import Field, apply_filter, apply_sort, time, whole
from harbor_core.lib.pagination import Listing, Page, paginate
from projects import access
from projects.models import Project, Repository

SIZES_SECONDS = 300
_SIZES = """
    WITH named AS (
        SELECT DISTINCT a.repository_id, ab.blob_id
        FROM harbor_projects_artifact a JOIN harbor_projects_artifactblob ab ON ab.artifact_id = a.id
        WHERE a.project_id = %s
    ), places AS (SELECT blob_id, COUNT(*) AS number FROM named GROUP BY blob_id)
    SELECT named.repository_id, SUM(b.size), SUM(CASE WHEN places.number = 1 THEN b.size ELSE 0 END)
    FROM named JOIN places ON places.blob_id = named.blob_id JOIN harbor_projects_blob b ON b.id = named.blob_id
    GROUP BY named.repository_id ORDER BY 2 DESC, 1 LIMIT %s
"""
FIELDS = {
    "id": Field("id", whole),
    "repository_id": Field("id", whole),
    "project_id": Field("project_id", whole),
    "name": Field("name"),
    "description": Field("description"),
    "pull_count": Field("pull_count", whole),
    "creation_time": Field("creation_time", time),
    "update_time": Field("update_time", time),
}


def repository_list(project_id: int, listing: Listing) -> Page[Repository]:
    return _paged(Repository.objects.filter(project_id=project_id), listing)


def all_repositories(actor: Actor, listing: Listing) -> Page[Repository]:
    """Of every project where the actor may list them."""
    projects = access.visible_projects(actor, "repository:list")
    return _paged(Repository.objects.filter(project__in=projects.values("pk")), listing)


def _paged(repositories: QuerySet[Repository], listing: Listing) -> Page[Repository]:
    repositories = apply_filter(repositories, listing.query, FIELDS)
    return paginate(apply_sort(repositories, listing.sort, FIELDS, ["-creation_time", "-pk"]), listing)


def repository_get(project_id: int, name: str) -> Repository:
    """By full name. Raises NOT_FOUND."""
    repository = Repository.objects.filter(project_id=project_id, name=name).first()
    if repository is None:
        raise HarborError("NOT_FOUND", f"repository {name[:300]} not found")
    return repository


def repositories_in(project: Project, limit: int) -> list[Repository]:
    """The first of them by name."""
    return list(Repository.objects.filter(project=project).order_by("name")[:limit])


@dataclass(frozen=True, slots=True)
class RepositorySize:
    """Bytes that its artifacts name, each blob once, and how many of them no other repository of the project names."""

    repository: Repository
    size: int
    own: int


def largest_repositories(project: Project, limit: int) -> list[RepositorySize]:
    """What two repositories share counts in both. Every artifact is walked for it, so the figures are up to
    SIZES_SECONDS old."""
    key = f"largest-repositories:{project.pk}:{limit}"
    sizes = cache.get(key)
    if sizes is None:
        sizes = [(pk, int(size), int(own)) for pk, size, own in sql.fetch_all(_SIZES, [project.pk, limit])]
        cache.set(key, sizes, SIZES_SECONDS)
    rows = Repository.objects.in_bulk([pk for pk, _, _ in sizes])
    return [RepositorySize(rows[pk], size, own) for pk, size, own in sizes if pk in rows]
