"""Writes that need not happen in a request: a thread of the process makes them a moment later, in batches."""

import atexit
import logging
import os
import threading
from collections.abc import Callable

from django.db import Error, connection

logger = logging.getLogger(__name__)


class Flusher:
    """Calls ``flush`` some ``seconds`` after :meth:`wake`, and when the process stops in order.

    ``flush`` writes what its owner has buffered and keeps it buffered when the database fails; then it is called again.
    """

    def __init__(self, name: str, seconds: float, flush: Callable[[], None]) -> None:
        self._name = name
        self._seconds = seconds
        self._flush = flush
        self._lock = threading.Lock()
        self._event = threading.Event()
        self._pid = 0

    def wake(self) -> None:
        with self._lock:
            if self._pid != os.getpid():  # threads do not survive a fork
                self._pid = os.getpid()
                threading.Thread(target=self._run, name=self._name, daemon=True).start()
                atexit.register(self._try)
        self._event.set()

    def _run(self) -> None:
        pause = threading.Event()
        while self._event.wait():
            self._event.clear()
            pause.wait(self._seconds)
            if not self._try():
                self._event.set()
            if not self._event.is_set():
                connection.close()  # nothing is waiting: the thread sleeps without one

    def _try(self) -> bool:
        try:
            self._flush()
            return True
        except Error as exc:
            logger.warning("%s could not be written: %s", self._name, exc)
        except Exception:  # the thread must not end: what comes later would never be written
            logger.exception("%s could not be written", self._name)
        connection.close()
        return False
