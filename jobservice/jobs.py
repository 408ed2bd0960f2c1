"""The list of all job types, and what a job function may raise. How to add one: docs/jobs.md."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.module_loading import import_string

from harbor_core.env import env_int

if TYPE_CHECKING:
    from jobservice.worker.context import Context

BACKOFF_MAX_SECONDS = 3600
QUEUE_PREFIX = "job."


class JobFailed(Exception):
    """The job cannot succeed; the message is shown to whoever looks at the task."""


class Retry(Exception):
    """The job may succeed later. It is tried again after ``seconds`` (by default the type's back-off) while the
    type's attempts last, then it has failed with this message."""

    def __init__(self, message: str, *, seconds: float | None = None) -> None:
        super().__init__(message)
        self.seconds = seconds


class Halt(BaseException):
    """The job has to end now. Not an Exception, so that a job's own ``except Exception`` lets it through."""


class StopRequested(Halt):
    """Somebody stopped the task."""


class Interrupted(Halt):
    """The worker is shutting down; the task goes back to the queue."""


class Postponed(Halt):
    """Not now: the task waits for so many ``seconds`` and is run again. Nothing failed, however often that happens."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class LeaseLost(Halt):
    """The task belongs to another worker now; nothing may be written for it any more."""


@dataclass(frozen=True, slots=True)
class JobType:
    """``run`` is the function, ``package.module.function``, imported when first needed.

    interactive: somebody waits for it; goes before what is not, and bulk work leaves one thread of every worker to it.
    limit: how many tasks may run at once over all workers, 0 for no limit of its own.
    attempts: how often a task may fail (Retry, or an unexpected error) before it is an Error.
    retry_seconds: the first pause between attempts; it doubles each time, up to an hour.
    lives: how many workers may die under one task before it counts as the job's fault.
    keep: executions kept per vendor id (environment: <TYPE>_EXECUTION_RETENTION_COUNT).
    """

    name: str
    run: str
    interactive: bool = False
    limit: int = 0
    attempts: int = 1
    retry_seconds: float = 10
    lives: int = 5
    keep: int = 50

    @property
    def function(self) -> "Callable[[Context], Any]":
        return import_string(self.run)

    @property
    def kept(self) -> int:
        return env_int(f"{self.name}_EXECUTION_RETENTION_COUNT", self.keep, low=1)

    @property
    def max_running(self) -> int:
        """The limit in force (environment: HARBOR_JOB_LIMIT_<TYPE>)."""
        return env_int(f"HARBOR_JOB_LIMIT_{self.name}", self.limit, low=0)

    def backoff(self, failures: int) -> float:
        """Seconds until the next attempt after this many failures."""
        return min(self.retry_seconds * 2 ** min(max(failures - 1, 0), 20), BACKOFF_MAX_SECONDS)


JOB_TYPES: dict[str, JobType] = {}


def register(job_type: JobType) -> JobType:
    if job_type.name in JOB_TYPES:
        raise ValueError(f"job type {job_type.name} is there already")
    JOB_TYPES[job_type.name] = job_type
    return job_type


def queue_name(job_type: str) -> str:
    """The Celery queue of a job type."""
    return f"{QUEUE_PREFIX}{job_type}"


register(JobType("EXECUTION_SWEEP", "jobservice.services.retention.run", limit=1, keep=10))
register(JobType("PURGE_AUDIT_LOG", "jobservice.services.purge.run", limit=1, keep=10))
register(JobType("GARBAGE_COLLECTION", "jobservice.services.gc.run", limit=1))
register(JobType("STORAGE_AUDIT", "jobservice.services.storage_audit.run", limit=1, keep=20))
register(JobType("RETENTION", "projects.services.retention_run.run"))
# With these pauses thirty-one more attempts take about a day.
_DELIVERY_ATTEMPTS = 1 + env_int("JOBSERVICE_WEBHOOK_JOB_MAX_RETRY", 31, low=0, high=1000)
register(JobType("WEBHOOK", "projects.services.webhook_delivery.run", attempts=_DELIVERY_ATTEMPTS))
register(JobType("SLACK", "projects.services.webhook_delivery.run", attempts=_DELIVERY_ATTEMPTS))
register(JobType("REPLICATION", "replication.services.engine.run", attempts=4))
register(JobType("REPLICATION_DRIFT", "replication.services.drift.run", interactive=True, limit=4, keep=10))
register(JobType("QUOTA_SYNC", "jobservice.services.quota_sync.run", limit=1, keep=10))

# Schedules of the system itself; they exist from the first start of a clock.
SYSTEM_SCHEDULES = {"EXECUTION_SWEEP": "0 0 * * * *"}
