"""Read executions and tasks, their progress and logs."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum
from django.utils import timezone

from harbor_core.lib.errors import HarborError
from harbor_core.lib.filtering import Field, apply_filter, apply_sort, text, time, whole
from harbor_core.lib.pagination import Listing, Page, paginate
from jobservice import logs
from jobservice.models import Execution, Task
from jobservice.states import FINAL, Status

LOG_PIECE = 1024 * 1024
EXECUTION_FIELDS = {
    "id": Field("pk", whole),
    "vendor_type": Field("vendor_type", text),
    "vendor_id": Field("vendor_id", whole),
    "status": Field("status", text),
    "job_status": Field("status", text),
    "trigger": Field("trigger", text),
    "job_kind": Field("trigger", text),
    "start_time": Field("start_time", time),
    "creation_time": Field("start_time", time),
    "end_time": Field("end_time", time, nullable=True),
    "update_time": Field("update_time", time),
}
TASK_FIELDS = {
    "id": Field("pk", whole),
    "status": Field("status", text),
    "job_type": Field("job_type", text),
    "creation_time": Field("creation_time", time),
    "start_time": Field("start_time", time, nullable=True),
    "end_time": Field("end_time", time, nullable=True),
    "update_time": Field("update_time", time),
}


def executions(vendor_types: Collection[str], vendor_ids: Collection[int] | None = None) -> QuerySet[Execution]:
    """Those of the types, and of the vendor ids if any are given."""
    rows = Execution.objects.filter(vendor_type__in=vendor_types).select_related("schedule")
    return rows if vendor_ids is None else rows.filter(vendor_id__in=vendor_ids)


def every_execution(**columns: str) -> QuerySet[Execution]:
    """Those of every type, with these values in their columns."""
    return Execution.objects.filter(**columns).select_related("schedule")


def execution_list(rows: QuerySet[Execution], listing: Listing) -> Page[Execution]:
    """The newest first, unless asked otherwise."""
    rows = apply_filter(rows, listing.query, EXECUTION_FIELDS)
    return paginate(apply_sort(rows, listing.sort, EXECUTION_FIELDS, ("-start_time", "-pk")), listing)


def execution_get(rows: QuerySet[Execution], execution_id: int) -> Execution:
    """Raises NOT_FOUND for one that is not among the rows."""
    execution = rows.filter(pk=execution_id).first()
    if execution is None:
        raise HarborError("NOT_FOUND", f"execution {execution_id} not found")
    return execution


def task_list(execution: Execution, listing: Listing) -> Page[Task]:
    """In the order they were made, unless asked otherwise."""
    rows = apply_filter(execution.tasks.all(), listing.query, TASK_FIELDS)
    return paginate(apply_sort(rows, listing.sort, TASK_FIELDS, ("pk",)), listing)


def task_get(execution: Execution, task_id: int) -> Task:
    """Raises NOT_FOUND."""
    task = execution.tasks.filter(pk=task_id).first()
    if task is None:
        raise HarborError("NOT_FOUND", f"task {task_id} not found")
    return task


# ---------------------------------------------------------------------- progress
@dataclass(frozen=True, slots=True)
class Progress:
    """How far an execution is. ``tasks`` of ``all_tasks`` have ended; ``done`` of ``total`` items (0: not known) and
    ``bytes`` over all its tasks; ``rate`` and ``byte_rate`` per second of what runs now; ``seconds`` since its start,
    up to its end. ``percent`` is None where nothing says how much there is."""

    tasks: int
    all_tasks: int
    done: int
    total: int
    bytes: int
    rate: float
    byte_rate: float
    seconds: float

    @property
    def percent(self) -> int | None:
        if self.all_tasks > 1:
            return 100 * self.tasks // self.all_tasks
        if self.total > 0:
            return min(100 * self.done // self.total, 100)
        return 100 if self.all_tasks and self.tasks == self.all_tasks else None


def task_percent(task: Task) -> int | None:
    """How far one task is; None where nothing says how much there is."""
    if task.status == Status.SUCCESS:
        return 100
    return min(100 * task.done // task.total, 100) if task.total > 0 else None


def progress(found: Iterable[Execution]) -> dict[int, Progress]:
    """By execution id; one query for all of them."""
    rows = {execution.pk: execution for execution in found}
    running = Q(status=Status.RUNNING)
    sums = (
        Task.objects.filter(execution_id__in=rows)
        .order_by()
        .values("execution_id")
        .annotate(
            sum_done=Sum("done"),
            sum_total=Sum("total"),
            sum_bytes=Sum("bytes"),
            sum_rate=Sum("rate", filter=running, default=0.0),
            sum_byte_rate=Sum("byte_rate", filter=running, default=0.0),
        )
    )
    by_id: dict[int, dict[str, Any]] = {row["execution_id"]: dict(row) for row in sums}
    return {pk: _progress(execution, by_id.get(pk, {})) for pk, execution in rows.items()}


def _progress(execution: Execution, sums: dict[str, Any]) -> Progress:
    ended = sum(getattr(execution, status.counter) for status in FINAL)
    waiting = execution.pending + execution.scheduled + execution.running
    return Progress(
        tasks=ended,
        all_tasks=ended + waiting,
        done=int(sums.get("sum_done", 0)),
        total=int(sums.get("sum_total", 0)),
        bytes=int(sums.get("sum_bytes", 0)),
        rate=sums.get("sum_rate", 0.0),
        byte_rate=sums.get("sum_byte_rate", 0.0),
        seconds=((execution.end_time or timezone.now()) - execution.start_time).total_seconds(),
    )


# ---------------------------------------------------------------------- logs
@dataclass(frozen=True, slots=True)
class LogPiece:
    """Bytes of a log. ``next`` is where to go on reading; ``ended``: the task will not write any more and this is the
    end of what it wrote."""

    data: bytes
    next: int
    ended: bool


def task_log(task: Task, offset: int = 0, limit: int = LOG_PIECE) -> LogPiece:
    """The log from a byte offset, also while the task runs. Raises NOT_FOUND for a task whose log is gone."""
    if not task.has_log and task.status in FINAL and task.run_count:
        raise HarborError("NOT_FOUND", f"the log of task {task.pk} is not kept any more")
    ended = task.status in FINAL  # asked before reading: what is written later belongs to the next piece
    data = logs.read(task.pk, offset, limit) if task.has_log else b""
    return LogPiece(data, offset + len(data), ended and len(data) < limit)


def whole_log(task: Task) -> bytes:
    """All of it; logs are capped (HARBOR_JOB_LOG_MAX_BYTES). Raises NOT_FOUND."""
    data = bytearray()
    while (piece := task_log(task, len(data))).data:
        data += piece.data
    return bytes(data)


def execution_log(execution: Execution) -> bytes:
    """The log of its first task, which is all there is for system jobs. Raises NOT_FOUND."""
    task = execution.tasks.order_by("pk").first()
    if task is None:
        raise HarborError("NOT_FOUND", f"execution {execution.pk} has no log")
    return whole_log(task)


def open_counts(vendor_type: str) -> dict[int, int]:
    """vendor id -> executions of the type that have not ended."""
    rows = Execution.objects.filter(vendor_type=vendor_type, end_time=None).order_by()
    return dict(rows.values_list("vendor_id").annotate(Count("pk")))
