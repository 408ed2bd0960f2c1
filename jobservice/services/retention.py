"""EXECUTION_SWEEP: forget executions beyond what is kept of each kind, and logs that are too old."""

from datetime import timedelta

from django.conf import settings
from django.db.models import Count
from django.utils import timezone

from harbor_core.lib.batches import batched
from jobservice import logs
from jobservice.jobs import JOB_TYPES
from jobservice.models import Execution, Task
from jobservice.states import FINAL
from jobservice.worker.context import Context

BATCH = 200


def run(context: Context) -> None:
    executions = 0
    for vendor_type in sorted(JOB_TYPES):
        executions += sweep(context, vendor_type)
    dropped = drop_old_logs(context)
    context.log.info("%d executions and %d logs are gone", executions, dropped)
    context.report(executions=executions, logs=dropped)


def sweep(context: Context, vendor_type: str) -> int:
    """Delete what ended of the type beyond the newest of each vendor id. Returns how many executions."""
    keep, deleted = JOB_TYPES[vendor_type].kept, 0
    rows = Execution.objects.filter(vendor_type=vendor_type).order_by()
    crowded = rows.values_list("vendor_id").annotate(number=Count("pk")).filter(number__gt=keep)
    for vendor_id, _ in list(crowded):
        newest = rows.filter(vendor_id=vendor_id).order_by("-start_time", "-pk")
        kept = list(newest.values_list("pk", flat=True)[:keep])
        old = rows.filter(vendor_id=vendor_id, status__in=FINAL).exclude(pk__in=kept)
        while batch := list(old.values_list("pk", flat=True)[:BATCH]):
            context.check_stop()
            delete(batch)
            deleted += len(batch)
            context.progress(deleted)
    if deleted:
        context.log.info("%s: %d executions beyond %d of each are deleted", vendor_type, deleted, keep)
    return deleted


def delete(execution_ids: list[int]) -> None:
    """Remove executions with their tasks, logs first: a crash in between leaves nothing that nobody knows of."""
    tasks = Task.objects.filter(execution_id__in=execution_ids)
    for batch in batched(tasks.filter(has_log=True).values_list("pk", flat=True).iterator()):
        logs.delete(batch)
    for batch in batched(list(tasks.values_list("pk", flat=True))):
        Task.objects.filter(pk__in=batch).delete()
    Execution.objects.filter(pk__in=execution_ids).delete()


def drop_old_logs(context: Context) -> int:
    """Remove logs of tasks that ended more than JOB_LOG_DAYS ago. Returns how many."""
    old = Task.objects.filter(has_log=True, end_time__lt=timezone.now() - timedelta(days=settings.JOB_LOG_DAYS))
    dropped = 0
    while batch := list(old.order_by("end_time").values_list("pk", flat=True)[:BATCH]):
        context.check_stop()
        logs.delete(batch)
        Task.objects.filter(pk__in=batch).update(has_log=False)
        dropped += len(batch)
    return dropped
