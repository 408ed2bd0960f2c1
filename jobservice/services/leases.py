"""Who works on what: taking a task, keeping it, and taking up what a dead worker left. Times are the database's."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import cast

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, QuerySet
from django.db.models.functions import Now

from harbor_core.lib import sql
from jobservice.jobs import JOB_TYPES
from jobservice.models import JobQueue, Task, WorkerPool
from jobservice.services.transitions import after, move
from jobservice.states import Status

TRIES = 5
_HEAD = """
    SELECT * FROM (
        SELECT id FROM harbor_jobservice_task WHERE status = 'Pending' AND job_type = %s AND NOT stop_requested
        ORDER BY priority, id LIMIT 1
    ) AS head
"""
_HEADS = """
    SELECT id, job_type, priority, queued_at FROM harbor_jobservice_task
    WHERE status = 'Pending' AND id IN ({heads})
"""


class Outcome(Enum):
    TAKEN = "taken"
    FULL = "full"  # the type's limit was reached meanwhile
    GONE = "gone"  # another worker was faster, or the task was stopped


@dataclass(frozen=True, slots=True)
class Holding:
    """What a worker believes it holds."""

    task_id: int
    run_count: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """The first task of a queue that may start now."""

    task_id: int
    job_type: str
    priority: int
    queued_at: datetime


def waiting(job_types: Collection[str]) -> list[Waiting]:
    """The first task of each queue that is neither paused nor at its limit, the most urgent first: interactive work,
    then whose type has the fewest at work, so that a long queue does not hold up the others, then the oldest."""
    limits = {name: JOB_TYPES[name].max_running for name in job_types if name in JOB_TYPES}
    running = _running(limits)
    paused = set(JobQueue.objects.filter(paused=True).values_list("job_type", flat=True))
    ready = [n for n, limit in limits.items() if n not in paused and (not limit or running.get(n, 0) < limit)]
    if not ready:
        return []
    # One probe of the index per queue: sorting all that waits would cost as much as there is of it.
    rows = sql.fetch_all(_HEADS.format(heads=" UNION ALL ".join([_HEAD] * len(ready))), ready)
    heads = [Waiting(pk, job_type, priority, cast(datetime, sql.moment(when))) for pk, job_type, priority, when in rows]
    return sorted(heads, key=lambda head: (head.priority, running.get(head.job_type, 0), head.task_id))


def _running(job_types: Collection[str]) -> dict[str, int]:
    rows = Task.objects.filter(status=Status.RUNNING, job_type__in=list(job_types))
    return dict(rows.order_by().values_list("job_type").annotate(Count("pk")))


def claim(pool: str, job_types: Collection[str], *, interactive_only: bool = False) -> Task | None:
    """Take the most urgent task there is. Returns it as Running, or None when there is nothing to do."""
    for _ in range(TRIES):
        heads = waiting(job_types)
        if not heads or (interactive_only and heads[0].priority > 0):
            return None
        if _take(heads[0], pool) is Outcome.TAKEN:
            return Task.objects.get(pk=heads[0].task_id)
    return None


def _take(task: Waiting, pool: str) -> Outcome:
    limit = JOB_TYPES[task.job_type].max_running
    if limit:
        JobQueue.objects.get_or_create(job_type=task.job_type)
    with transaction.atomic():
        if limit:
            # One claim of a limited type at a time, so that the count is the truth.
            queue = JobQueue.objects.select_for_update().get(job_type=task.job_type)
            if queue.paused or _running([task.job_type]).get(task.job_type, 0) >= limit:
                return Outcome.FULL
        taken = move(
            Task.objects.filter(pk=task.task_id, stop_requested=False),
            Status.PENDING,
            Status.RUNNING,
            worker=pool,
            run_count=F("run_count") + 1,
            lease_until=after(settings.JOB_LEASE_SECONDS),
            has_log=True,
            status_message="",
            done=0,
            total=0,
            bytes=0,
        )
    return Outcome.TAKEN if taken else Outcome.GONE


def held(holding: Holding) -> QuerySet[Task]:
    """The task's row, if it still is this run's."""
    return Task.objects.filter(pk=holding.task_id, run_count=holding.run_count, status=Status.RUNNING)


def renew(pool: str, task_ids: Iterable[int]) -> None:
    """Prolong the leases of this worker's tasks."""
    rows = Task.objects.filter(pk__in=list(task_ids), worker=pool, status=Status.RUNNING)
    rows.update(lease_until=after(settings.JOB_LEASE_SECONDS))


def look(task_ids: Iterable[int]) -> dict[int, tuple[int, bool]]:
    """Running tasks of these: id -> (run count, was a stop requested?)."""
    rows = Task.objects.filter(pk__in=list(task_ids), status=Status.RUNNING)
    return {pk: (run, stop) for pk, run, stop in rows.values_list("pk", "run_count", "stop_requested")}


def beat(pool: WorkerPool) -> None:
    """Write that the worker lives; the row comes back if it was taken for dead."""
    alive = WorkerPool.objects.filter(pk=pool.pk).update(heartbeat_at=Now())
    if not alive:
        WorkerPool.objects.bulk_create([pool], ignore_conflicts=True)


def take_up_orphans() -> set[str]:
    """Tasks whose lease ran out go back to the queue, or end if a stop was requested or they outlived too many
    workers. Returns the job types to ring for."""
    woken = set()
    for task in Task.objects.filter(status=Status.RUNNING, lease_until__lt=Now())[:500]:
        row = Task.objects.filter(pk=task.pk, run_count=task.run_count, lease_until__lt=Now())
        lost = task.lost + 1
        if task.stop_requested:
            move(row, Status.RUNNING, Status.STOPPED, lost=lost, status_message="stopped after its worker died")
        elif lost >= _lives(task.job_type):
            move(row, Status.RUNNING, Status.ERROR, lost=lost, status_message=f"its worker died {lost} times")
        elif move(row.filter(stop_requested=False), Status.RUNNING, Status.PENDING, lost=lost):
            woken.add(task.job_type)
    return woken


def _lives(job_type: str) -> int:
    return JOB_TYPES[job_type].lives if job_type in JOB_TYPES else 1


def promote_due() -> set[str]:
    """Scheduled tasks whose time has come become Pending. Returns the job types to ring for."""
    woken = set()
    for pk, job_type in Task.objects.filter(status=Status.SCHEDULED, due_at__lte=Now()).values_list("pk", "job_type")[
        :500
    ]:
        if move(Task.objects.filter(pk=pk), Status.SCHEDULED, Status.PENDING):
            woken.add(job_type)
    return woken


def forget_dead_pools() -> None:
    """Workers that gave no sign of life for two leases are not listed any more."""
    WorkerPool.objects.filter(heartbeat_at__lt=after(-2 * settings.JOB_LEASE_SECONDS)).delete()
