"""Repositories as lists and details show them."""

from django.db.models import QuerySet

from auth.actor import Actor
from harbor_core.lib.errors import HarborError
from harbor_core.lib.filtering import Field, apply_filter, apply_sort, time, whole
from harbor_core.lib.pagination import Listing, Page, paginate
from projects import access
from projects.models import Repository

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
