"""Projects as lists, details, the summary and the search show them."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, cast

from django.core.cache import cache
from django.db import connection
from django.db.models import Count, Q, Sum

from auth.actor import Actor
from auth.rbac import ROLE_ORDER
from harbor_core.lib import sql
from harbor_core.lib.filtering import Field, apply_filter, apply_sort, flag, time, whole
from harbor_core.lib.pagination import Listing, Page, paginate
from projects import access
from projects.models import Blob, CVEAllowlist, Member, Project, Repository
from projects.models.quota import UNLIMITED
from projects.selectors.quotas import with_usage
from replication.models import Registry

_STORED, STORED_SECONDS, SLOW_SECONDS = "statistics:stored", 60, 0.05
SEARCH_LIMIT = 1000  # hits of each kind: a search is for people to look at
FIELDS = {
    "project_id": Field("id", whole),
    "id": Field("id", whole),
    "name": Field("name"),
    "public": Field("public", flag),
    "owner": Field("owner__username"),
    "owner_id": Field("owner_id", whole),
    "registry_id": Field("registry_id", whole, nullable=True),
    "creation_time": Field("creation_time", time),
    "update_time": Field("update_time", time),
}


def takes_sparse_indexes(project_id: int) -> bool:
    """May an index be pushed without the children of platforms that the client says it leaves out?"""
    return Project.objects.filter(pk=project_id, metadata__sparse_indexes="true").exists()


@dataclass(frozen=True, slots=True)
class ProjectDetail:
    """``roles`` are the ids of the actor's roles there (auth.rbac.Role), highest first."""

    project: Project
    repositories: int
    roles: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """``members`` by role id, ``hard`` and ``used`` in bytes; None where the actor may not know. ``registry`` is what a
    proxy project stands for."""

    repositories: int
    members: dict[int, int] | None
    hard: int | None
    used: int | None
    registry: Registry | None


@dataclass(frozen=True, slots=True)
class Statistics:
    private_projects: int
    private_repositories: int
    public_projects: int
    public_repositories: int
    storage: int  # bytes; 0 for who is no administrator


def project_list(
    actor: Actor, listing: Listing, *, name: str = "", public: bool | None = None, owner: str = ""
) -> Page[Project]:
    """Projects the actor may see. ``name`` is a part to look for, ``owner`` a whole user name."""
    projects = access.visible_projects(actor).select_related("owner", "cve_allowlist")
    if name:
        projects = projects.filter(name__icontains=name)
    if public is not None:
        projects = projects.filter(public=public)
    if owner:
        projects = projects.filter(owner__username=owner)
    projects = apply_filter(projects, listing.query, FIELDS)
    return paginate(apply_sort(projects, listing.sort, FIELDS, ["name"]), listing)


_FIGURES = """
    SELECT project_id, 0, COUNT(*) FROM harbor_projects_repository WHERE project_id IN ({marks}) GROUP BY project_id
    UNION ALL
    SELECT project_id, role, 0 FROM harbor_projects_member WHERE project_id IN ({marks}) AND (
        user_id = %s OR group_id IN (SELECT group_id FROM harbor_auth_groupmembership WHERE user_id = %s))
"""


def project_details(actor: Actor, projects: Iterable[Project]) -> list[ProjectDetail]:
    """The figures of some projects; one query, written as SQL because lists of projects are asked for often."""
    rows = list(projects)
    ids = [project.pk for project in rows]
    counts: dict[int, int] = {}
    roles: dict[int, set[int]] = defaultdict(set)
    if ids:
        user_id = actor.user_id or 0
        statement = _FIGURES.format(marks=", ".join(["%s"] * len(ids)))
        with connection.cursor() as cursor:
            cursor.execute(statement, [*ids, *ids, user_id, user_id])
            for project_id, role, count in cursor.fetchall():
                if role:
                    roles[project_id].add(role)
                else:
                    counts[project_id] = count
    return [
        ProjectDetail(
            project,
            counts.get(project.pk, 0),
            tuple(role.value for role in ROLE_ORDER if role in roles.get(project.pk, ())),
        )
        for project in rows
    ]


_DETAIL = """
    SELECT (SELECT COUNT(*) FROM harbor_projects_repository WHERE project_id = %s),
        a.id, a.items, a.expires_at, a.creation_time, a.update_time
    FROM (SELECT 1) one LEFT JOIN harbor_projects_cveallowlist a ON a.project_id = %s
"""


def project_detail(project: Project, roles: frozenset[int]) -> ProjectDetail:
    """The figures of one project, for a caller whose roles there are known, and its allowlist for
    :func:`allowlist_of`; one query."""
    row = sql.fetch_one(_DETAIL, [project.pk, project.pk])
    assert row is not None  # of a row that is always there
    count, *values = row
    found = _allowlist(project.pk, values) if values[0] else CVEAllowlist(project_id=project.pk, items=[])
    setattr(project, "cve_allowlist", found)  # noqa: B010 - the plugin does not see this side
    return ProjectDetail(project, count, tuple(role.value for role in ROLE_ORDER if role in roles))


def _allowlist(project_id: int, values: Sequence[Any]) -> CVEAllowlist:
    list_id, items, expires_at, created, updated = values
    names = ["id", "project_id", "items", "expires_at", "creation_time", "update_time"]
    row = [list_id, project_id, json.loads(items), expires_at, sql.moment(created), sql.moment(updated)]
    return CVEAllowlist.from_db("default", names, row)


def allowlist_of(project: Project) -> CVEAllowlist:
    """The project's own list, an empty one where none was written; one query unless it was read with the project."""
    try:
        return cast(CVEAllowlist, getattr(project, "cve_allowlist"))  # noqa: B009 - the plugin does not see this side
    except CVEAllowlist.DoesNotExist:
        return CVEAllowlist(project_id=project.pk, items=[])


def exists(name: str) -> bool:
    return Project.objects.filter(name=name, deleted=False).exists()


def summary(project: Project, granted: frozenset[str]) -> Summary:
    """What may be known about a project with these permissions in it."""
    members, hard, used = None, None, None
    if "member:list" in granted:
        rows = Member.objects.filter(project=project).values_list("role").annotate(Count("pk")).order_by()
        members = dict(rows)
    if "quota:read" in granted:
        hard, used = _storage(project.pk)
    registry = Registry.objects.filter(pk=project.registry_id).first() if project.registry_id else None
    return Summary(Repository.objects.filter(project=project).count(), members, hard, used, registry)


def _storage(project_id: int) -> tuple[int, int]:
    """Limit (-1 for none) and use of a project, in bytes."""
    found = with_usage().filter(project_id=project_id)
    row = found.values_list("hard", "total").first()  # type: ignore[misc]  # total is annotated
    return row or (UNLIMITED, 0)


def statistics(actor: Actor) -> Statistics:
    """Administrators count everything, and how much the blobs take, each counted once; others count what is public, and
    what is private and theirs."""
    private, public = Q(public=False), Q(public=True)
    visible = access.visible_projects(actor)
    projects = visible.aggregate(private=Count("pk", filter=private), public=Count("pk", filter=public))
    private, public = Q(project__public=False), Q(project__public=True)
    rows = Repository.objects.filter(project__in=visible.values("pk"))
    counts = rows.aggregate(private=Count("pk", filter=private), public=Count("pk", filter=public))
    storage = _stored() if actor.is_sysadmin else 0
    return Statistics(projects["private"], counts["private"], projects["public"], counts["public"], storage)


def _stored() -> int:
    """Bytes of all blobs. Every blob there is has to be read: where that takes long, the sum is kept for a while."""
    total = cache.get(_STORED)
    if total is None:
        started = monotonic()
        total = Blob.objects.filter(state=Blob.State.LIVE).aggregate(total=Sum("size"))["total"] or 0
        if monotonic() - started > SLOW_SECONDS:
            cache.set(_STORED, total, STORED_SECONDS)
    return int(total)


def search(actor: Actor, part: str) -> tuple[list[Project], list[Repository]]:
    """Projects and repositories that the actor may see and whose names hold the part, SEARCH_LIMIT of each at most."""
    visible = access.visible_projects(actor)
    projects = (
        visible.filter(name__icontains=part).select_related("owner", "cve_allowlist").order_by("name")[:SEARCH_LIMIT]
    )
    listable = access.visible_projects(actor, "repository:list")
    repositories = Repository.objects.filter(project__in=listable.values("pk"), name__icontains=part)
    return list(projects), list(repositories.select_related("project").order_by("name")[:SEARCH_LIMIT])
