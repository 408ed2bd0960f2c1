"""What a dashboard shows of projects: who uses how much storage, which repositories are the largest."""

from dataclasses import dataclass

from django.core.cache import cache
from django.db.models import Sum

from auth.actor import Actor
from projects import access
from projects.models import Artifact, Quota, Repository
from projects.selectors.quotas import with_usage

KEPT_SECONDS = 300


@dataclass(frozen=True, slots=True)
class LargeRepository:
    """``size`` adds up what its artifacts take, layers they share counted for each."""

    project_id: int
    name: str
    size: int


def project_storage(actor: Actor, count: int) -> list[Quota]:
    """The projects with most bytes in use (``total``) among those whose quota the actor may read."""
    readable = access.projects_granting(actor, "quota:read")
    quotas = with_usage().filter(project__in=readable.values("pk"))
    return list(quotas.order_by("-total", "pk")[:count])  # type: ignore[misc]  # total is annotated


def largest_repositories(actor: Actor, count: int) -> list[LargeRepository]:
    """Of the projects the actor sees. Every artifact there has to be read: the answer is kept some minutes."""
    key = f"largest-repositories:{actor.key}:{actor.is_sysadmin}:{count}"
    known = cache.get(key)
    if known is None:
        visible = access.visible_projects(actor, "repository:list")
        sums = Artifact.objects.filter(project__in=visible.values("pk"), listed=True).values("repository_id")
        largest = sums.annotate(total=Sum("size")).order_by("-total", "repository_id")[:count]
        known = list(largest.values_list("repository_id", "total"))
        cache.set(key, known, KEPT_SECONDS)
    rows = Repository.objects.in_bulk([pk for pk, _ in known])
    return [LargeRepository(rows[pk].project_id, rows[pk].name, size) for pk, size in known if pk in rows]
