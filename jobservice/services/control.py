"""Stop tasks, pause and resume queues."""

from collections.abc import Callable

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from auth.actor import Actor
from harbor_core.lib.errors import HarborError
from harbor_core.services import audit
from jobservice import dispatch
from jobservice.jobs import JOB_TYPES
from jobservice.models import JobQueue, Task
from jobservice.selectors.monitor import job_get
from jobservice.services.transitions import stop_waiting
from jobservice.states import OPEN, SCHEDULER, Status

ALL = "all"
STOPPED_WAITING = "stopped before it ran"


def stop(tasks: QuerySet[Task], note: Callable[[], None] | None = None) -> int:
    """Stop every open task of these: waiting ones at once, running ones at their next check (a second or so). Returns
    how many were open. Stopping twice is no error. ``note`` is written together with the request.

    The mark comes first: from there on no worker takes one, and one that comes back from a worker ends as Stopped.
    """
    with transaction.atomic():
        rows = tasks.filter(status__in=OPEN, stop_requested=False)
        # Locked by id first, so that nobody who does the same waits for us while we wait for them.
        list(rows.order_by("pk").select_for_update(of=("self",)).values_list("pk", flat=True))
        asked = rows.update(stop_requested=True)
        if note is not None:
            note()
    end_marked(tasks)
    return asked


def end_marked(tasks: QuerySet[Task]) -> int:
    """End those of the tasks that wait and that somebody asked to stop. A scheduled one may become pending meanwhile,
    not the other way round. Returns how many."""
    marked = tasks.filter(stop_requested=True)
    return sum(stop_waiting(marked, waiting, STOPPED_WAITING) for waiting in (Status.SCHEDULED, Status.PENDING))


def stop_execution(execution_id: int) -> int:
    """Stop all tasks of an execution. Returns how many were open."""
    return stop(Task.objects.filter(execution_id=execution_id))


def stop_job(actor: Actor, job_id: str) -> None:
    """Stop one task by its id, or everything that runs (``all``). Raises NOT_FOUND."""
    everything = job_id.lower() == ALL
    tasks = Task.objects.filter(status=Status.RUNNING) if everything else Task.objects.filter(pk=job_get(job_id).pk)
    stop(tasks, lambda: audit.record(actor, "stop", "job", job_id))


def queue_types(name: str) -> list[str]:
    """The queues a name stands for: one, whatever its case, or ``all``. Raises NOT_FOUND."""
    known = [*JOB_TYPES, SCHEDULER]
    if name.lower() == ALL:
        return known
    if name.upper() not in known:
        raise HarborError("NOT_FOUND", f"there is no job queue {name}")
    return [name.upper()]


def act_on_queue(actor: Actor, name: str, action: str) -> None:
    """``stop`` ends what waits in the queue (what runs goes on), ``pause`` lets it wait, ``resume`` goes on. The queue
    SCHEDULER stands for all schedules. Raises NOT_FOUND."""
    types = queue_types(name)

    def note() -> None:
        audit.record(actor, action, "job-queue", name)

    if action == "stop":
        stop(Task.objects.filter(job_type__in=types, status__in=(Status.PENDING, Status.SCHEDULED)), note)
        return
    with transaction.atomic():
        _set_paused(types, action == "pause")
        note()
    if action == "resume":
        dispatch.ring(set(types) & set(JOB_TYPES))


def _set_paused(types: list[str], paused: bool) -> None:
    now = timezone.now()
    JobQueue.objects.bulk_create(
        [JobQueue(job_type=job_type, paused=paused, update_time=now) for job_type in sorted(types)],
        update_conflicts=True,
        unique_fields=["job_type"],
        update_fields=["paused", "update_time"],
    )
