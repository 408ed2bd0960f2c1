"""Storage over time, from one row per project and day (projects.services.storage_days)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, timedelta

from django.core.cache import cache
from django.db.models import Sum
from django.utils import timezone

from auth.actor import Actor
from projects import access
from projects.models import StorageDay
from projects.selectors.quotas import with_usage

DAYS, PROJECT_DAYS = 30, 90
NAMED = 3  # projects with a line of their own, the others are added up
KEPT_SECONDS = 300


@dataclass(frozen=True, slots=True)
class History:
    """Bytes per day, by project; ``others`` are those that have no line of their own, together. The last day is today
    with what is used now, the others are as they began (UTC)."""

    days: list[date]
    projects: list[tuple[str, list[int]]]
    others: list[int]


def in_project(project_id: int, used: int) -> History:
    """The last PROJECT_DAYS of one project that uses so much now; one query."""
    days = _days(PROJECT_DAYS)
    rows = StorageDay.objects.filter(project_id=project_id, day__gte=days[0]).values_list("day", "used")
    return History(days, [("", _filled(days, dict(rows), used))], [0] * len(days))


def by_project(actor: Actor) -> History:
    """The last DAYS of the projects whose quota the actor may read, the fullest first. Up to KEPT_SECONDS old."""
    days = _days(DAYS)
    key = f"storage-days:{actor.key}:{actor.is_sysadmin}:{days[-1]}"
    known: History | None = cache.get(key)
    if known is None:
        known = _read(actor, days)
        cache.set(key, known, KEPT_SECONDS)
    return known


def _read(actor: Actor, days: list[date]) -> History:
    readable = access.projects_granting(actor, "quota:read").values("pk")
    usage = with_usage().filter(project__in=readable)
    fullest = list(usage.order_by("-total", "pk")[:NAMED])  # type: ignore[misc]  # total is annotated
    rows = StorageDay.objects.filter(day__gte=days[0], project__in=readable).order_by()
    sums = dict(rows.values_list("day").annotate(Sum("used")))
    whole = _filled(days, sums, usage.aggregate(sum=Sum("total"))["sum"] or 0)
    own: dict[int, dict[date, int]] = {quota.project_id: {} for quota in fullest}
    for project_id, day, used in rows.filter(project__in=own).values_list("project_id", "day", "used"):
        own[project_id][day] = used
    lines = [
        (quota.project.name, _filled(days, own[quota.project_id], quota.total))  # type: ignore[attr-defined]  # annotated
        for quota in fullest
    ]
    named = [sum(values) for values in zip(*(line for _, line in lines), strict=True)] or [0] * len(days)
    return History(days, lines, [max(0, all_ - some) for all_, some in zip(whole, named, strict=True)])


def _days(number: int) -> list[date]:
    today = timezone.now().astimezone(UTC).date()
    return [today - timedelta(days=back) for back in range(number - 1, -1, -1)]


def _filled(days: list[date], known: Mapping[date, int], now: int) -> list[int]:
    """A day that nobody wrote down is as the one before it."""
    found, last = [], 0
    for day in days[:-1]:
        last = int(known.get(day, last))
        found.append(last)
    return [*found, int(now)]
