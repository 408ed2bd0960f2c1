"""The clock: fires schedules and finds what fell through. A thread of the beat process that needs the database only, so
it goes on while the broker is away. Any number of clocks may run: each step is a conditional UPDATE."""

import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from django.conf import settings
from django.db import DatabaseError, connection

from jobservice import dispatch
from jobservice.models import Task
from jobservice.services import control, leases, schedules, sweeps

logger = logging.getLogger(__name__)
TICK_SECONDS = 1.0
# More for each tick, after everything of the clock's own; short, and safe with any number of clocks.
EACH_TICK: list[Callable[[], object]] = []


class Clock:
    def __init__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="clock", daemon=True)
        self._swept = 0.0
        # Since when the database has answered without a break. After one, workers get a whole lease to renew theirs
        # before a task counts as orphaned.
        self._sound_since: float | None = None
        self._prepared = False

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._over.wait(TICK_SECONDS):
            try:
                self.tick()
            except DatabaseError as exc:
                if self._sound_since is not None:
                    logger.warning("the database does not answer, schedules wait: %s", exc)
                self._sound_since = None
                with suppress(DatabaseError):
                    connection.close()
            except Exception:  # the thread must not end: nothing else fires schedules and takes up orphans
                logger.exception("a tick went wrong, going on")
        with suppress(DatabaseError):
            connection.close()

    def tick(self) -> None:
        now = time.monotonic()
        if not self._prepared:
            schedules.ensure_system_schedules()
            self._prepared = True
        schedules.fire_due()
        woken = leases.promote_due()
        if self._sound_since is None:
            self._sound_since = now
        if now - self._sound_since >= settings.JOB_LEASE_SECONDS:
            woken |= leases.take_up_orphans()
        if woken:
            dispatch.ring(woken)
        if now - self._swept >= settings.JOB_SWEEP_SECONDS:
            control.end_marked(Task.objects.all())  # whoever asked for it may have been killed in between
            sweeps.ring_forgotten()
            leases.forget_dead_pools()
            self._swept = now
        for step in EACH_TICK:
            step()


_clock: Clock | None = None


def start() -> Clock:
    """This process's clock."""
    global _clock
    if _clock is None:
        _clock = Clock()
        _clock.start()
        logger.info("the clock runs in process %d", os.getpid())
    return _clock
