"""Schedules: set, remove, and start what is due."""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from harbor_core.lib.errors import HarborError
from jobservice import cron as crontab
from jobservice import dispatch
from jobservice.jobs import JOB_TYPES, SYSTEM_SCHEDULES
from jobservice.models import JobQueue, Schedule
from jobservice.states import SCHEDULER, SYSTEM, Trigger

logger = logging.getLogger(__name__)
# What the types stand for where a client names no expression.
CRON_OF = {"Hourly": "0 0 * * * *", "Daily": "0 0 0 * * *", "Weekly": "0 0 0 * * 0"}
PERIODIC = ("Hourly", "Daily", "Weekly", "Custom", "Schedule")


def check(cron_type: str, cron: str) -> str:
    """The expression a schedule of this type has. Raises BAD_REQUEST."""
    expression = cron or CRON_OF.get(cron_type, "")
    if cron_type not in PERIODIC:
        raise HarborError("BAD_REQUEST", f"{cron_type!r} is not a schedule type ({', '.join(PERIODIC)})")
    try:
        crontab.check_schedule(expression)
    except crontab.CronError as exc:
        raise HarborError("BAD_REQUEST", f"invalid cron expression: {exc}") from exc
    return expression


def put(
    vendor_type: str,
    vendor_id: int = SYSTEM,
    *,
    cron: str,
    cron_type: str = "Custom",
    parameters: Mapping[str, Any] | None = None,
    operator: str = "",
) -> Schedule:
    """Set or replace the schedule of a job type and vendor id. At its times a task of the type starts with the
    parameters. Raises BAD_REQUEST for what cannot be a schedule, KeyError for an unknown job type."""
    JOB_TYPES[vendor_type]
    expression, now = check(cron_type, cron), timezone.now()
    values = {
        "cron": expression,
        "cron_type": cron_type,
        "parameters": dict(parameters or {}),
        "operator": operator,
        "next_time": crontab.parse(expression).next(now),
        "update_time": now,
    }
    schedule, _ = Schedule.objects.update_or_create(vendor_type=vendor_type, vendor_id=vendor_id, defaults=values)
    return schedule


def remove(vendor_type: str, vendor_id: int = SYSTEM) -> bool:
    """Returns whether there was one. What it started stays."""
    return bool(Schedule.objects.filter(vendor_type=vendor_type, vendor_id=vendor_id).delete()[0])


def ensure_system_schedules() -> None:
    """The system's own schedules; those of users are left alone."""
    for vendor_type, cron in SYSTEM_SCHEDULES.items():
        if not Schedule.objects.filter(vendor_type=vendor_type, vendor_id=SYSTEM, cron=cron).exists():
            put(vendor_type, cron=cron, operator="system")


def fire_due(now: datetime | None = None) -> int:
    """Start every schedule whose time has come; one that missed several times (nobody ran, or schedules were paused)
    starts once. Returns how many started here."""
    now = now or timezone.now()
    due = list(Schedule.objects.filter(next_time__lte=now).order_by("next_time")[:100])
    if not due or JobQueue.objects.filter(job_type=SCHEDULER, paused=True).exists():
        return 0
    return sum(_fire(schedule, now) for schedule in due)


def _fire(schedule: Schedule, now: datetime) -> bool:
    """One winner per fire time: the UPDATE finds the time it expects, and the execution's fire time is unique."""
    fire_time = schedule.next_time
    row = Schedule.objects.filter(pk=schedule.pk, next_time=fire_time)
    try:
        following = crontab.parse(schedule.cron).next(now)
    except crontab.CronError as exc:
        logger.error("schedule %s cannot be read and is put out of use: %s", schedule, exc)
        row.update(next_time=None)
        return False
    try:
        with transaction.atomic():
            if not row.update(next_time=following, last_time=fire_time):
                return False
            dispatch.submit(
                schedule.vendor_type,
                vendor_id=schedule.vendor_id,
                trigger=Trigger.SCHEDULE,
                parameters=schedule.parameters,
                extra_attrs=schedule.parameters,
                operator=schedule.operator,
                schedule=schedule,
                fire_time=fire_time,
            )
    except (IntegrityError, KeyError) as exc:
        # It has run at this time already (a database restored from a copy), or its job type is gone: go on with it.
        logger.warning("schedule %s does not start at %s: %s", schedule, fire_time, exc)
        row.update(next_time=following)
        return False
    return True
