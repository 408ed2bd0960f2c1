"""What a job function works with."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from harbor_core.lib.text import storable
from jobservice import dispatch
from jobservice.dispatch import TaskSpec
from jobservice.jobs import JOB_TYPES, Halt, LeaseLost
from jobservice.logs import TaskLog
from jobservice.models import Execution, Task
from jobservice.services.leases import Holding, held


class Context:
    """One run of one task.

    ``task`` is the row as it was taken, ``parameters`` its input, ``log`` a logging.Logger whose lines anybody who may
    see the task can read while it runs. All methods may be called from any thread of the job.
    """

    def __init__(self, task: Task, log: TaskLog) -> None:
        self.task = task
        self.parameters: dict[str, Any] = task.parameters
        self.holding = Holding(task.pk, task.run_count)
        self.task_log = log
        self.log = log.logger
        self.renewed = time.monotonic()  # the lease is good for JOB_LEASE_SECONDS from here
        self._halt: type[Halt] | None = None
        self._progress: tuple[int, int, int] = (0, 0, 0)
        self._rates = Rates()
        self.saved_progress: Mapping[str, float] = {}

    # ------------------------------------------------------------------ for jobs
    def progress(self, done: int, total: int = 0, bytes: int = 0) -> None:
        """Items done, items in total (0: not known), bytes moved; all since the start of this run. Costs nothing: the
        worker writes the latest values about once a second."""
        self._progress = (done, total, bytes)

    def check_stop(self) -> None:
        """Call it often: ends the job (raises Halt, which is not for jobs to catch) when somebody stopped the task,
        the worker shuts down, or the task is not this worker's any more. Costs no query."""
        if self._halt is None and time.monotonic() - self.renewed > settings.JOB_LEASE_SECONDS:
            self._halt = LeaseLost  # no heartbeat got through: another worker may have it by now
        if self._halt is not None:
            raise self._halt
        _forget_dead_connection()

    def sleep(self, seconds: float) -> None:
        """Wait, but not longer than a stop takes to be noticed."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.check_stop()
            time.sleep(min(left, 0.2))
        self.check_stop()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """A transaction that commits only while the task is this run's: nobody can take it up before the end. For what
        must not happen twice. Raises LeaseLost."""
        _forget_dead_connection()
        with transaction.atomic():
            if not held(self.holding).select_for_update().values_list("pk").first():
                raise LeaseLost
            yield

    def spawn(self, specs: Iterable[TaskSpec]) -> int:
        """More tasks for this task's execution: all of them or none, and once, however often this task is run; the
        second time nothing is added. Returns how many."""
        with self.hold():
            if not held(self.holding).filter(spawned=False).update(spawned=True):
                return 0
            return dispatch.add_tasks(self.task.execution_id, specs, job_type=self.task.job_type)

    def report(self, **values: Any) -> None:
        """Results that the task shows (merged into its ``extra_attrs``)."""
        with self.hold():
            self.task.extra_attrs = {**self.task.extra_attrs, **storable(values)}
            held(self.holding).update(extra_attrs=self.task.extra_attrs)

    def report_execution(self, **values: Any) -> None:
        """Results that the execution shows (merged into its ``extra_attrs``)."""
        with self.hold():
            execution = Execution.objects.select_for_update().get(pk=self.task.execution_id)
            execution.extra_attrs = {**execution.extra_attrs, **storable(values)}
            execution.save(update_fields=["extra_attrs"])

    def advanced(self) -> None:
        """The task has got further than any of its runs before: failures and deaths of workers until here do not count
        against it any more. For steps of which there is an end."""
        if not self.task.failures and not self.task.lost:
            return
        with self.hold():
            held(self.holding).update(failures=0, lost=0)
        self.task.failures = self.task.lost = 0

    @property
    def is_last_attempt(self) -> bool:
        """Whether the task ends as Error if this run fails."""
        return self.task.failures + 1 >= JOB_TYPES[self.task.job_type].attempts

    # ------------------------------------------------------------------ for the worker
    def halt(self, reason: type[Halt]) -> None:
        """Make the next check_stop raise this; the first reason counts, except that a lost lease outdoes all."""
        if self._halt is None or reason is LeaseLost:
            self._halt = reason

    @property
    def is_lost(self) -> bool:
        return self._halt is LeaseLost

    def progress_values(self) -> Mapping[str, float]:
        """The progress columns as of now."""
        done, total, count = self._progress
        rate, byte_rate = self._rates.after(done, count)
        return {"done": done, "total": total, "bytes": count, "rate": round(rate, 1), "byte_rate": round(byte_rate)}


class Rates:
    """Items and bytes per second, smoothed over some ten seconds."""

    SMOOTHING_SECONDS = 10.0

    def __init__(self) -> None:
        self._time = time.monotonic()
        self._last = (0, 0)
        self._rates = (0.0, 0.0)
        self._first = True

    def after(self, done: int, count: int) -> tuple[float, float]:
        """The rates now that this much is done."""
        now = time.monotonic()
        elapsed = now - self._time
        if elapsed < 0.05:
            return self._rates
        weight = 1.0 if self._first else min(elapsed / self.SMOOTHING_SECONDS, 1.0)
        current = [(value - before) / elapsed for value, before in zip((done, count), self._last, strict=True)]
        rates = [rate + weight * (new - rate) for rate, new in zip(self._rates, current, strict=True)]
        self._time, self._last, self._first = now, (done, count), False
        self._rates = (max(rates[0], 0.0), max(rates[1], 0.0))
        return self._rates


def _forget_dead_connection() -> None:
    """A server restarted since this thread's last query costs the job nothing: the next query connects anew."""
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()
