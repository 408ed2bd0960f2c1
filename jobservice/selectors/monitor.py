"""What the job service does right now: queues, workers, schedules, totals. The numbers metrics are made of, too."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, Min
from django.utils import timezone

from harbor_core.lib.errors import HarborError
from harbor_core.lib.pagination import Listing, Page, paginate
from jobservice.jobs import JOB_TYPES
from jobservice.models import JobQueue, JobTotal, Schedule, Task, WorkerPool
from jobservice.states import SCHEDULER, Status

ALL = "all"


@dataclass(frozen=True, slots=True)
class Queue:
    """``count`` tasks wait, the first of them for ``latency`` seconds; ``running`` tasks of the type are at work."""

    job_type: str
    count: int
    latency: int
    running: int
    limit: int
    paused: bool


def queue_list() -> list[Queue]:
    """Every job type, and SCHEDULER, in which schedules that are overdue wait. Four queries."""
    now = timezone.now()
    waiting = {
        name: (number, first)
        for name, number, first in Task.objects.filter(status=Status.PENDING)
        .order_by()
        .values_list("job_type")
        .annotate(number=Count("pk"), first=Min("queued_at"))
    }
    running = running_counts()
    due = Schedule.objects.filter(next_time__lt=now).aggregate(number=Count("pk"), first=Min("next_time"))
    if due["number"]:
        waiting[SCHEDULER] = due["number"], due["first"]
    paused = set(JobQueue.objects.filter(paused=True).values_list("job_type", flat=True))

    def row(name: str) -> Queue:
        number, first = waiting.get(name, (0, now))
        limit = JOB_TYPES[name].max_running if name in JOB_TYPES else 0
        latency = max(int((now - first).total_seconds()), 0)
        return Queue(name, number, latency, running.get(name, 0), limit, name in paused)

    return [row(name) for name in sorted({*JOB_TYPES, SCHEDULER, *waiting})]


def running_counts() -> dict[str, int]:
    """job type -> tasks at work."""
    rows = Task.objects.filter(status=Status.RUNNING).order_by().values_list("job_type")
    return dict(rows.annotate(Count("pk")))


def totals() -> list[JobTotal]:
    """How many tasks of each type ever ended in each state, and for how long they ran in all."""
    return list(JobTotal.objects.order_by("job_type", "status"))


def schedules_paused() -> bool:
    return JobQueue.objects.filter(job_type=SCHEDULER, paused=True).exists()


def schedule_list(listing: Listing) -> Page[Schedule]:
    return paginate(Schedule.objects.order_by("pk"), listing)


def schedule_get(vendor_type: str, vendor_id: int) -> Schedule | None:
    return Schedule.objects.filter(vendor_type=vendor_type, vendor_id=vendor_id).first()


# ---------------------------------------------------------------------- workers
@dataclass(frozen=True, slots=True)
class Worker:
    """One thread of a pool, and the task it is at, if any."""

    id: str
    pool_id: str
    task: Task | None


def pool_list() -> list[WorkerPool]:
    """Worker processes that gave a sign of life within the last lease."""
    return list(WorkerPool.objects.filter(heartbeat_at__gte=_alive_since()).order_by("start_at", "pk"))


def _alive_since() -> datetime:
    return timezone.now() - timedelta(seconds=settings.JOB_LEASE_SECONDS)


def worker_list(pool_id: str) -> list[Worker]:
    """The threads of a pool, or of every pool (``all``): the busy ones first. Raises NOT_FOUND."""
    pools = [pool for pool in pool_list() if pool_id in (ALL, pool.pk)]
    if not pools and pool_id != ALL:
        raise HarborError("NOT_FOUND", f"worker pool {pool_id} not found")
    tasks: dict[str, list[Task]] = {pool.pk: [] for pool in pools}
    for task in Task.objects.filter(status=Status.RUNNING, worker__in=tasks).order_by("pk"):
        tasks[task.worker].append(task)
    return [
        Worker(f"{pool.pk}-{number}", pool.pk, tasks[pool.pk][number] if number < len(tasks[pool.pk]) else None)
        for pool in pools
        for number in range(max(pool.concurrency, len(tasks[pool.pk])))
    ]


def job_get(job_id: str) -> Task:
    """The task with this id, as paths give it. Raises NOT_FOUND."""
    number = int(job_id) if job_id.isascii() and job_id.isdigit() and len(job_id) < 19 else 0
    task = Task.objects.filter(pk=number).first()
    if task is None:
        raise HarborError("NOT_FOUND", f"job {job_id} not found")
    return task
