"""The thread of a worker process that keeps its tasks: leases, stop requests, progress, log lines, and the worker's own
sign of life. One per process; the threads that run jobs only ever look at memory."""

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Collection
from contextlib import suppress

from django.conf import settings
from django.db import DatabaseError, connection

from jobservice import dispatch
from jobservice.jobs import JOB_TYPES, Interrupted, LeaseLost, StopRequested
from jobservice.logs import TaskLog
from jobservice.models import WorkerPool
from jobservice.services import leases
from jobservice.worker.context import Context

logger = logging.getLogger(__name__)
LOOK_SECONDS = 1.0


class Keeper:
    """``concurrency`` threads run jobs in this process; all but one of them may be taken by bulk work."""

    def __init__(self, concurrency: int, job_types: Collection[str] = ()) -> None:
        self.pool = WorkerPool(
            id=uuid.uuid4().hex, host=socket.gethostname()[:255], pid=os.getpid(), concurrency=concurrency
        )
        self.job_types = tuple(job_types) or tuple(JOB_TYPES)
        self._running: dict[int, Context] = {}
        self._claiming = threading.Lock()
        self._stop = threading.Event()
        self._over = threading.Event()
        self._heartbeat = 0.0
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    # ------------------------------------------------------------------ tasks
    def take(self) -> Context | None:
        """The most urgent task for this process, now its own; None when there is none or it is shutting down."""
        with self._claiming:
            if self._stop.is_set():
                return None
            bulk = sum(context.task.priority > dispatch.INTERACTIVE for context in list(self._running.values()))
            crowded = bulk >= max(1, self.pool.concurrency - 1)
            started = time.monotonic()
            task = leases.claim(self.pool.pk, self.job_types, interactive_only=crowded)
            if task is None:
                return None
            context = Context(task, TaskLog(task.pk))
            context.renewed = started
            if (lost := self._running.get(task.pk)) is not None:  # this worker's own earlier run of it
                self._lose(lost)
            self._running[task.pk] = context
            if self._stop.is_set():  # told to stop since we asked
                context.halt(Interrupted)
            return context

    def drop(self, context: Context) -> None:
        with self._claiming:
            if self._running.get(context.task.pk) is context:
                del self._running[context.task.pk]

    @staticmethod
    def _lose(context: Context) -> None:
        context.task_log.silenced = True
        context.halt(LeaseLost)

    def ring_if_waiting(self) -> None:
        """More to do for workers like this one? Wake one."""
        if heads := leases.waiting(self.job_types):
            dispatch.ring([heads[0].job_type])

    # ------------------------------------------------------------------ the end
    def interrupt(self) -> None:
        """The process is told to stop: nothing is taken any more, running jobs end at their next check. Safe to call
        from a signal handler."""
        self._stop.set()
        for context in list(self._running.values()):
            context.halt(Interrupted)

    def close(self) -> None:
        """Everything has ended: this worker is not there any more."""
        self._over.set()
        self._thread.join(5)
        with suppress(DatabaseError):
            WorkerPool.objects.filter(pk=self.pool.pk).delete()

    # ------------------------------------------------------------------ the thread
    def _run(self) -> None:
        pause = min(LOOK_SECONDS, settings.JOB_LEASE_SECONDS / 4)
        while not self._over.wait(pause):
            try:
                self._tick()
                self._failing = False
            except DatabaseError as exc:
                if not self._failing:
                    logger.warning("the database does not answer, the leases of this worker's tasks age: %s", exc)
                self._failing = True
                with suppress(DatabaseError):
                    connection.close()
            except Exception:  # the thread must not end: without it every lease of this worker would run out
                logger.exception("keeping tasks went wrong, going on")
        with suppress(DatabaseError):
            connection.close()

    def _tick(self) -> None:
        contexts = dict(self._running)
        started = time.monotonic()
        renewing = started - self._heartbeat >= settings.JOB_LEASE_SECONDS / 3
        if renewing:
            leases.beat(self.pool)
            if contexts:
                leases.renew(self.pool.pk, contexts)
            self._heartbeat = started
        if not contexts:
            return
        found = leases.look(contexts)
        for task_id, context in contexts.items():
            run_count, stop = found.get(task_id, (0, False))
            if run_count != context.holding.run_count:
                if self._running.get(task_id) is context:  # else it has ended in the meantime
                    self._lose(context)
                continue
            if renewing:
                context.renewed = started
            if stop:
                context.halt(StopRequested)
            self.save_progress(context)
            context.task_log.tick()

    def save_progress(self, context: Context) -> None:
        """Write the progress columns where they changed."""
        values = context.progress_values()
        if values != context.saved_progress and any(values.values()):
            leases.held(context.holding).update(**values)
            context.saved_progress = values


_keeper: Keeper | None = None
_lock = threading.Lock()


def start(concurrency: int, job_types: Collection[str] = ()) -> Keeper:
    """This process's keeper, started at the first call (and again in a forked child)."""
    global _keeper
    with _lock:
        if _keeper is None or _keeper.pool.pid != os.getpid():
            _keeper = Keeper(concurrency, job_types)
            _keeper.start()
        return _keeper


def current() -> Keeper | None:
    return _keeper
