"""The only way to start a job: rows first, and a bell after the commit.

    dispatch.submit("RETENTION", vendor_id=policy.pk, trigger=Trigger.MANUAL, parameters={"dry_run": True})

The database is the only truth. The message to Celery names no task, it only wakes a worker, which takes the most
urgent task the database has. A bell that is lost (broker down, FLUSHALL) is rung again by the clock
(jobservice.worker.clock); one that rings twice finds nothing to do.
"""

import logging
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from harbor_core.celery import app
from harbor_core.lib import tracing
from harbor_core.lib.batches import batched
from harbor_core.lib.flusher import Flusher
from harbor_core.lib.text import storable
from jobservice.jobs import JOB_TYPES, queue_name
from jobservice.models import Execution, Schedule, Task
from jobservice.services.transitions import after, settle
from jobservice.states import SYSTEM, Status, Trigger

logger = logging.getLogger(__name__)
INTERACTIVE, BULK = 0, 10
BELL = "jobservice.tasks.work"
QUIET_SECONDS = 5.0  # a broker that does not answer is not asked again for so long; the clock rings meanwhile
_quiet_until = 0.0


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """A task to be. ``job_type`` defaults to the execution's, ``interactive`` to the type's. ``delay`` in seconds.

    ``parameters`` are what the job reads, ``extra_attrs`` what the API shows; administrators can see both, so secrets
    are named by id and looked up by the job.
    """

    parameters: Mapping[str, Any] = field(default_factory=dict)
    extra_attrs: Mapping[str, Any] = field(default_factory=dict)
    job_type: str = ""
    interactive: bool | None = None
    delay: float = 0


def submit(
    job_type: str,
    *,
    vendor_id: int = SYSTEM,
    trigger: str = Trigger.MANUAL,
    parameters: Mapping[str, Any] | None = None,
    extra_attrs: Mapping[str, Any] | None = None,
    operator: str = "",
    tasks: Sequence[TaskSpec] | None = None,
    schedule: Schedule | None = None,
    fire_time: datetime | None = None,
) -> Execution:
    """An execution with one task that has the parameters, or with the tasks given; no tasks at all ends it as Success.

    Part of the caller's transaction, if there is one. Raises KeyError for an unknown job type, IntegrityError when the
    schedule's fire time has been taken.
    """
    JOB_TYPES[job_type]
    specs = [TaskSpec(parameters or {})] if tasks is None else tasks
    with transaction.atomic():
        execution = Execution.objects.create(
            vendor_type=job_type,
            vendor_id=vendor_id,
            trigger=trigger,
            operator=operator,
            extra_attrs=storable(dict(extra_attrs or {})),
            schedule=schedule,
            fire_time=fire_time,
        )
        add_tasks(execution.pk, specs, job_type=job_type)
        if not specs and settle(execution.pk):
            execution.refresh_from_db()
    return execution


def add_tasks(execution_id: int, specs: Iterable[TaskSpec], *, job_type: str) -> int:
    """More tasks for an execution that has not ended (a job adds to its own through ``context.spawn``). Returns how
    many. Raises ValueError when it has ended."""
    added, types = 0, set()
    with transaction.atomic():
        for batch in batched(specs):
            Task.objects.bulk_create([_task(execution_id, spec, job_type) for spec in batch])
            delayed = sum(spec.delay > 0 for spec in batch)
            open_execution = Execution.objects.filter(pk=execution_id, end_time=None)
            if not open_execution.update(
                pending=F("pending") + len(batch) - delayed, scheduled=F("scheduled") + delayed
            ):
                raise ValueError(f"execution {execution_id} has ended")
            added += len(batch)
            types |= {spec.job_type or job_type for spec in batch if not spec.delay}
        transaction.on_commit(lambda: ring(types), robust=True)
    return added


def _task(execution_id: int, spec: TaskSpec, job_type: str) -> Task:
    kind = JOB_TYPES[spec.job_type or job_type]
    interactive = kind.interactive if spec.interactive is None else spec.interactive
    task = Task(
        execution_id=execution_id,
        job_type=kind.name,
        parameters=storable(dict(spec.parameters)),
        extra_attrs=storable(dict(spec.extra_attrs)),
        priority=INTERACTIVE if interactive else BULK,
        traceparent=tracing.carried(),
    )
    if spec.delay > 0:
        task.status, task.due_at = Status.SCHEDULED, after(spec.delay)
    return task


def ring(job_types: Iterable[str]) -> None:
    """Wake a worker for each of the queues, soon: a thread does it, so that nobody waits for a broker in trouble."""
    with _lock:
        _bells.update(job_types)
    _ringer.wake()


def _ring_waiting() -> None:
    with _lock:
        job_types = set(_bells)
        _bells.clear()
    ring_now(job_types)


def ring_now(job_types: Iterable[str]) -> bool:
    """Returns whether the broker took the bells; that it did not is no error."""
    global _quiet_until
    if time.monotonic() < _quiet_until:
        return False
    try:
        for job_type in sorted(set(job_types)):
            app.send_task(BELL, queue=queue_name(job_type), retry=False, ignore_result=True)
    except (OperationalError, RedisError, OSError) as exc:
        _quiet_until = time.monotonic() + QUIET_SECONDS
        logger.warning("the broker does not answer, jobs wait for the clock: %s", exc)
        return False
    return True


_bells: set[str] = set()
_lock = threading.Lock()
_ringer = Flusher("bells", 0.0, _ring_waiting)
