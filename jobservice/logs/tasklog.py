"""The log of one run of a task: lines in, bytes to the stores."""

import logging
import threading
import time
from datetime import UTC, datetime

from django.conf import settings
from django.db import DatabaseError, connection

from jobservice.logs import stores

logger = logging.getLogger(__name__)
LINE_MAX = 16 * 1024
BUFFER_MAX = 256 * 1024
TAIL = 4096  # room behind the cap for how the run ended


class TaskLog(logging.Handler):
    """``logger`` writes here. Lines are kept until the worker's next ``tick``; beyond JOB_LOG_MAX_BYTES one notice is
    written and the rest is dropped, except how the run ended (``end``)."""

    def __init__(self, task_id: int) -> None:
        super().__init__()
        self._task_id = task_id
        self._stores = stores.stores()
        self._every = min((store.flush_seconds for store in self._stores), default=1.0)
        self._size = _size(task_id)
        self._buffer = bytearray()
        self._flushed = time.monotonic()
        self._full = False
        self._writing = threading.Lock()
        self.silenced = False
        # A logger nobody else knows: it goes when the run goes.
        self.logger = logging.Logger(f"task {task_id}", logging.DEBUG)
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        if self._full:
            return
        try:
            line = _line(record.levelname, self._text(record))
        except Exception:  # what a job gives to its log must not end the job
            self.handleError(record)
            return
        if self._size + len(self._buffer) + len(line) > settings.JOB_LOG_MAX_BYTES - TAIL:
            self._full = True
            line = _line("WARNING", f"the log is full ({settings.JOB_LOG_MAX_BYTES} bytes), further lines are dropped")
        self._buffer += line

    def handle(self, record: logging.LogRecord) -> bool:
        """Writing waits for other writers, so it is not done under the lock that ``emit`` holds."""
        handled = super().handle(record)
        # Inside the job's transaction lines would come and go with it; the worker's thread writes them.
        if len(self._buffer) > BUFFER_MAX and not connection.in_atomic_block:
            self._write()
        return bool(handled)

    def _text(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + logging.Formatter().formatException(record.exc_info)
        return text

    def end(self, level: str, text: str) -> None:
        """The last line of the run, which the cap does not drop; everything is written now."""
        self.acquire()
        try:
            self._buffer += _line(level, text[:1000])
        finally:
            self.release()
        self._write()

    def tick(self) -> None:
        """Write what has gathered, if it is time."""
        if self._buffer and time.monotonic() - self._flushed >= self._every:
            self._write()

    def _write(self) -> None:
        with self._writing:
            self.acquire()
            try:
                data, self._buffer = bytes(self._buffer), bytearray()
                offset = self._size
                self._size += len(data)
            finally:
                self.release()
            self._flushed = time.monotonic()
            if not data or self.silenced:
                return
            written = [self._append(store, offset, data) for store in self._stores]
            read_from = (done for store, done in zip(self._stores, written, strict=True) if store.readable)
            if not next(read_from, True):  # what is missing in the store that is read leaves no gap there
                self._size -= len(data)

    def _append(self, store: stores.LogStore, offset: int, data: bytes) -> bool:
        try:
            store.append(self._task_id, offset, data)
            return True
        except (OSError, DatabaseError) as exc:
            logger.warning("log lines of task %d could not be written: %s", self._task_id, exc)
            return False


def _size(task_id: int) -> int:
    try:
        return stores.size(task_id)
    except (OSError, DatabaseError) as exc:
        logger.warning("the log of task %d cannot be read, it begins anew: %s", task_id, exc)
        return 0


def _line(level: str, text: str) -> bytes:
    stamp = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    data = text.encode("utf-8", "replace")
    if len(data) > LINE_MAX:
        data = data[:LINE_MAX] + b" ..."
    return f"{stamp} [{level}] ".encode() + data.replace(b"\0", b"").replace(b"\r", b"") + b"\n"
