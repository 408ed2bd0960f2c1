"""PURGE_AUDIT_LOG: remove audit rows of chosen kinds that are older than so many hours."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from harbor_core.lib.errors import HarborError
from harbor_core.models import AuditLog
from harbor_core.selectors.audit import forget_totals
from jobservice.worker.context import Context

HOURS_MAX = 240_000
BATCH = 2000


def checked(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """``audit_retention_hour``, ``include_event_types`` (comma list of ``create_artifact`` and the like, or as before
    Harbor 2.13 ``include_operations``: ``create``), ``dry_run``. Raises BAD_REQUEST."""
    hours = parameters.get("audit_retention_hour")
    if isinstance(hours, bool) or not isinstance(hours, int) or not 0 <= hours <= HOURS_MAX:
        raise HarborError("BAD_REQUEST", f"audit_retention_hour must be a whole number from 0 to {HOURS_MAX}")
    values: dict[str, Any] = {"audit_retention_hour": hours}
    kinds = {name: parameters[name] for name in ("include_event_types", "include_operations") if name in parameters}
    if not kinds or not all(isinstance(value, str) and len(value) <= 10_000 for value in kinds.values()):
        raise HarborError("BAD_REQUEST", "include_event_types must be a text: event types joined by commas")
    dry_run = parameters.get("dry_run", False)
    if not isinstance(dry_run, bool):
        raise HarborError("BAD_REQUEST", "dry_run must be true or false")
    return values | kinds | {"dry_run": dry_run}


def wanted(parameters: Mapping[str, Any]) -> Q | None:
    """The condition of the kinds that the parameters name; None where they name none."""
    condition: Q | None = None
    for name in _names(parameters.get("include_event_types", "")):
        operation, _, resource_type = name.partition("_")
        kind = Q(operation=operation, resource_type=resource_type)
        condition = kind if condition is None else condition | kind
    for operation in _names(parameters.get("include_operations", "")):
        condition = Q(operation=operation) if condition is None else condition | Q(operation=operation)
    return condition


def _names(text: str) -> list[str]:
    return sorted({name.strip().lower() for name in text.split(",") if name.strip()})


def run(context: Context) -> None:
    parameters = context.parameters
    before = timezone.now() - timedelta(hours=parameters["audit_retention_hour"])
    kinds = wanted(parameters)
    if kinds is None:
        context.log.info("no event type is named, so nothing is purged")
        context.report_execution(purged=0)
        return
    rows = AuditLog.objects.filter(kinds, op_time__lt=before)
    total = rows.count()
    context.log.info("%d rows are older than %s and of a kind to purge", total, f"{before:%Y-%m-%dT%H:%M:%SZ}")
    context.progress(0, total)
    if parameters.get("dry_run"):
        context.log.info("this is a dry run: nothing is deleted")
        context.report_execution(purged=0, would_purge=total)
        return
    purged = _purge(context, rows, total)
    context.log.info("%d rows are deleted", purged)
    context.report_execution(purged=purged)


def _purge(context: Context, rows: QuerySet[AuditLog], total: int) -> int:
    purged = 0
    try:
        for batch in _batches(rows):
            context.check_stop()
            with context.hold():
                purged += AuditLog.objects.filter(pk__in=batch).delete()[0]
            context.progress(purged, max(total, purged))
    finally:
        if purged:
            forget_totals()
    return purged


def _batches(rows: QuerySet[AuditLog]) -> Iterator[list[int]]:
    """Ids from the oldest on. Each batch begins where the last one ended: what stays is passed over once."""
    rows = rows.order_by("op_time", "pk")
    rest = rows
    while batch := list(rest.values_list("pk", "op_time")[:BATCH]):
        yield [pk for pk, _ in batch]
        last_pk, last_time = batch[-1]
        rest = rows.filter(Q(op_time__gt=last_time) | Q(pk__gt=last_pk), op_time__gte=last_time)
