"""The only code that changes the state of a task, and with it the counters and the state of its execution.

A move is a conditional UPDATE: it happens to tasks that still are in the state it starts from, and whoever comes
second finds nothing to move. Locks are taken in one order: tasks by id, then executions by id.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Case, DateTimeField, ExpressionWrapper, F, QuerySet, TextField, Value, When
from django.db.models.functions import Now
from django.utils import timezone

from harbor_core.lib import sql
from jobservice.models import Execution, Task
from jobservice.states import FINAL, MOVES, Status

BATCH = 500
_TOTALS = """
    INSERT INTO harbor_jobservice_jobtotal (job_type, status, tasks, seconds) VALUES (%s, %s, %s, %s)
    ON CONFLICT (job_type, status) DO UPDATE SET
        tasks = harbor_jobservice_jobtotal.tasks + excluded.tasks,
        seconds = harbor_jobservice_jobtotal.seconds + excluded.seconds
"""


_STOP_WAITING = """
    UPDATE harbor_jobservice_task
    SET status = %s, status_message = %s, update_time = %s, end_time = %s, worker = '', lease_until = NULL,
        due_at = NULL, rate = 0, byte_rate = 0
    WHERE id IN ({rows}) AND status = %s
    RETURNING execution_id, job_type
"""


def after(seconds: float) -> ExpressionWrapper:
    """So many seconds from now by the database's clock, which all workers share."""
    return ExpressionWrapper(Now() + timedelta(seconds=seconds), output_field=DateTimeField())


def move(rows: QuerySet[Task], source: Status, target: Status, **changes: Any) -> int:
    """Move those of the rows that are in state ``source``, at most BATCH, and set ``changes`` on them. Returns how
    many moved. Raises ValueError for a move that is not in the table."""
    if target not in MOVES[source]:
        raise ValueError(f"a task does not go from {source} to {target}")
    changes |= {"status": target, "update_time": Now()} | _of_state(target)
    with transaction.atomic():
        held = list(
            rows.filter(status=source)
            .order_by("pk")
            .select_for_update(of=("self",))
            .values_list("pk", "execution_id", "job_type", "start_time")[:BATCH]
        )
        moved = Task.objects.filter(pk__in=[row[0] for row in held], status=source).update(**changes) if held else 0
        if moved:
            _count(Counter(row[1] for row in held), source, target, str(changes.get("status_message", "")))
            if target in FINAL:
                _add_totals(((row[2], row[3]) for row in held), target)
    return moved


def stop_waiting(rows: QuerySet[Task], source: Status, message: str) -> int:
    """Those of the rows that wait in state ``source`` end as Stopped, however many they are: one statement, which locks
    them by id. Returns how many."""
    with transaction.atomic():
        waiting = rows.filter(status=source).order_by("pk").select_for_update(of=("self",)).values("pk")
        statement, values = waiting.query.sql_with_params()
        now = sql.time(timezone.now())
        ended = sql.fetch_all(
            _STOP_WAITING.format(rows=statement),
            [Status.STOPPED.value, message, now, now, *values, source.value],
        )
        if ended:
            _count(Counter(execution for execution, _ in ended), source, Status.STOPPED, message)
            _add_totals(((job_type, None) for _, job_type in ended), Status.STOPPED)
    return len(ended)


def _of_state(target: Status) -> dict[str, Any]:
    """What every task in this state has or has not."""
    if target is Status.RUNNING:
        return {"start_time": Now(), "end_time": None, "due_at": None}
    left = {"worker": "", "lease_until": None}
    if target is Status.PENDING:
        return left | {"queued_at": Now(), "due_at": None}
    if target in FINAL:
        return left | {"end_time": Now(), "due_at": None, "rate": 0, "byte_rate": 0}
    return left


def _count(tasks: Counter[int], source: Status, target: Status, message: str) -> None:
    for execution_id, number in sorted(tasks.items()):
        changes: dict[str, Any] = {
            source.counter: F(source.counter) - number,
            target.counter: F(target.counter) + number,
            "update_time": Now(),
        }
        if target is Status.ERROR and message:  # the first failure speaks for the execution
            changes["status_message"] = Case(
                When(status_message="", then=Value(message[:2000])),
                default=F("status_message"),
                output_field=TextField(),
            )
        Execution.objects.filter(pk=execution_id).update(**changes)
        if target in FINAL:
            settle(execution_id)


def settle(execution_id: int) -> bool:
    """End the execution if none of its tasks is open. Returns whether this call ended it."""
    status = Case(
        When(error__gt=0, then=Value(Status.ERROR.value)),
        When(stopped__gt=0, then=Value(Status.STOPPED.value)),
        default=Value(Status.SUCCESS.value),
    )
    idle = Execution.objects.filter(pk=execution_id, end_time=None, pending=0, scheduled=0, running=0)
    return bool(idle.update(status=status, end_time=Now(), update_time=Now()))


def _add_totals(ended: Iterable[tuple[str, datetime | None]], status: Status) -> None:
    now = timezone.now()
    totals: dict[str, list[float]] = defaultdict(list)
    for job_type, start in ended:
        totals[job_type].append(max((now - start).total_seconds(), 0) if start else 0)
    for job_type, seconds in sorted(totals.items()):
        sql.execute(_TOTALS, [job_type, status.value, len(seconds), sum(seconds)])
