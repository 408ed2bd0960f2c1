"""Send audit rows to a syslog server (``audit_log_forward_endpoint``), in the background and in order.

Each process has a bounded queue and a thread that empties it. No request waits for the server, whatever it does; while
it is away the queue grows and is sent afterwards. A message may arrive twice when a connection breaks. What cannot be
delivered at all (too many, too old, the process ends) is written to the process's own log instead.
"""

import atexit
import json
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from harbor_core.lib import syslog
from harbor_core.lib.timefmt import rfc3339
from harbor_core.models import AuditLog

logger = logging.getLogger(__name__)
MAX_QUEUED = 50_000
MAX_AGE_SECONDS = 24 * 3600
BATCH = 200
LONGEST_PAUSE_SECONDS = 5.0
EXIT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Queued:
    number: int
    since: float  # time.monotonic()
    data: bytes


def message(row: AuditLog, request_id: str) -> bytes:
    """The row as one framed syslog message, a JSON object with the fields of the API."""
    fields = {
        "id": row.pk,
        "op_time": rfc3339(row.op_time),
        "username": row.username,
        "operation": row.operation,
        "resource_type": row.resource_type,
        "resource": row.resource,
        "project_id": row.project_id,
        "operation_description": row.operation_description,
        "operation_result": row.operation_result,
        "client_ip": row.client_ip,
        "request_id": request_id,
    }
    severity = syslog.INFO if row.operation_result else syslog.WARNING
    hostname = urlsplit(settings.EXTERNAL_URL).hostname or ""
    return syslog.frame(
        severity, row.op_time, hostname, f"{row.operation}_{row.resource_type}", json.dumps(fields, ensure_ascii=True)
    )


class Forwarder:
    """The queue of one process and the thread that empties it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._queue: deque[_Queued] = deque()
        self._endpoint = ""
        self._last = 0
        self._pid = 0
        self._delivering = True
        self._connection: syslog.Connection | None = None

    def submit(self, endpoint: str, messages: Sequence[bytes]) -> None:
        with self._changed:
            if self._pid != os.getpid():  # neither threads nor what they have to do survive a fork
                self._pid = os.getpid()
                self._queue.clear()
                self._connection = None
                threading.Thread(target=self._run, name="audit-forward", daemon=True).start()
                atexit.register(self.finish)
            self._endpoint = endpoint
            for data in messages:
                self._last += 1
                self._queue.append(_Queued(self._last, time.monotonic(), data))
            self._drop(lambda: len(self._queue) > MAX_QUEUED, "the queue is full")
            self._changed.notify_all()

    def is_delivering(self) -> bool:
        """Did the last attempt succeed? True before the first one."""
        return self._delivering

    def finish(self, seconds: float = EXIT_SECONDS) -> None:
        """Wait until everything is sent, for so long at most; then log the rest."""
        with self._changed:
            self._changed.wait_for(lambda: not self._queue, timeout=seconds)
            self._drop(lambda: bool(self._queue), "the process ends")

    def _drop(self, condition: Callable[[], bool], reason: str) -> None:
        while condition():
            lost = self._queue.popleft()
            logger.warning("audit log, not forwarded because %s: %s", reason, lost.data.decode())

    def _run(self) -> None:
        pause = 0.0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._queue))
                batch, endpoint = list(self._queue)[:BATCH], self._endpoint
            try:
                self._send(endpoint, batch)
            except OSError as exc:
                pause = min(pause * 2 or 0.25, LONGEST_PAUSE_SECONDS)
                self._failed(endpoint, exc)
                time.sleep(pause)
            else:
                pause = 0.0
                self._sent(batch[-1].number)

    def _send(self, endpoint: str, batch: list[_Queued]) -> None:
        if self._connection is not None and self._connection.endpoint != endpoint:
            self._connection.close()
            self._connection = None
        if self._connection is None:
            self._connection = syslog.Connection(endpoint)
        self._connection.send(b"".join(item.data for item in batch))

    def _sent(self, number: int) -> None:
        if not self._delivering:
            logger.warning("audit log: %s takes messages again", self._endpoint)
        self._delivering = True
        with self._changed:
            while self._queue and self._queue[0].number <= number:
                self._queue.popleft()
            self._changed.notify_all()

    def _failed(self, endpoint: str, error: OSError) -> None:
        if self._delivering:
            logger.warning("audit log cannot be forwarded to %s for now: %s", endpoint, error)
        self._delivering = False
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        oldest = time.monotonic() - MAX_AGE_SECONDS
        with self._changed:
            self._drop(lambda: bool(self._queue) and self._queue[0].since < oldest, "it is too old")


_forwarder = Forwarder()
submit = _forwarder.submit
is_delivering = _forwarder.is_delivering
finish = _forwarder.finish
