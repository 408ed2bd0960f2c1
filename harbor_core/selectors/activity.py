"""What happened lately, for a glance: pulls and pushes per day, the newest rows of the log.

A finished day no longer changes, so its numbers are kept; only today is counted anew, and that at most once a minute.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.core.cache import cache
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import TruncDate
from django.utils import timezone

from auth.actor import Actor
from harbor_core.models import AuditLog
from harbor_core.selectors import audit

DAYS = 30
FINISHED_SECONDS, TODAY_SECONDS = 6 * 3600, 60
Counts = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Day:
    """UTC. Pulls are of manifests; a push is an artifact that was not there before."""

    day: date
    pulls: int
    pushes: int


def per_day(actor: Actor) -> list[Day]:
    """The last DAYS with today, oldest first, over the log that the actor may read. Empty when that is none. Two
    queries at most beside that of the rights; none while the numbers are known."""
    ids = audit.visible_projects(actor)
    return [] if ids == [] else _per_day(ids, DAYS)


def per_day_in(project_id: int) -> list[Day]:
    """The same of one project, whose log the caller has found readable."""
    return _per_day([project_id], DAYS)


def _per_day(ids: list[int] | None, days: int) -> list[Day]:
    key = _key(ids)
    today = timezone.now().astimezone(UTC).date()
    first = today - timedelta(days=days - 1)
    finished = cache.get(f"{key}:{today}:{days}")
    if finished is None:
        finished = _counted(ids, first, today)
        cache.set(f"{key}:{today}:{days}", finished, FINISHED_SECONDS)
    current = cache.get(f"{key}:today:{today}")
    if current is None:
        current = _counted(ids, today, today + timedelta(days=1)).get(today, (0, 0))
        cache.set(f"{key}:today:{today}", current, TODAY_SECONDS)
    found: Mapping[date, Counts] = finished | {today: current}
    return [Day(day, *found.get(day, (0, 0))) for day in (first + timedelta(days=number) for number in range(days))]


def newest(actor: Actor, count: int) -> list[AuditLog]:
    """The newest rows that the actor may read."""
    ids = audit.visible_projects(actor)
    return list(_rows(ids).order_by(*audit.NEWEST_FIRST)[:count]) if ids != [] else []


def _rows(ids: list[int] | None) -> "QuerySet[AuditLog]":
    return AuditLog.objects.all() if ids is None else AuditLog.objects.filter(project_id__in=ids)


def _counted(ids: list[int] | None, begin: date, end: date) -> dict[date, Counts]:
    """From ``begin`` until before ``end``."""
    start, stop = (datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (begin, end))
    rows = _rows(ids).filter(op_time__gte=start, op_time__lt=stop, resource_type="artifact", operation_result=True)
    counted = (
        rows.filter(operation__in=("pull", "create"))
        .annotate(day=TruncDate("op_time", tzinfo=UTC))
        .values("day")
        .annotate(pulls=Count("pk", filter=Q(operation="pull")), pushes=Count("pk", filter=Q(operation="create")))
        .order_by()
    )
    return {row["day"]: (row["pulls"], row["pushes"]) for row in counted}


def _key(ids: list[int] | None) -> str:
    known = "all" if ids is None else hashlib.sha256(repr(sorted(ids)).encode()).hexdigest()
    return f"activity:{known}"
