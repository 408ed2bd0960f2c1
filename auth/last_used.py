"""When the credentials of machines were last used.

Exact to a few minutes, so that using one costs a write every five minutes at most; the write happens off the request's
path. What is buffered is lost when the process is killed.
"""

import threading
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Model, Q
from django.utils import timezone

from harbor_core.lib.flusher import Flusher

INTERVAL = timedelta(minutes=5)
FLUSH_SECONDS = 2.0
MAX_BUFFERED = 50_000

_lock = threading.Lock()
_buffer: dict[tuple[type[Model], int], dict[str, Any]] = {}


def note(kind: type[Model], pk: int, known: datetime | None, **fields: Any) -> None:
    """The row ``pk`` of a model with ``last_used_at`` was used now; ``known`` is the time its row shows.

    ``fields`` (the address it came from, say) are stored along with the time.
    """
    now = timezone.now()
    if known is not None and now - known < INTERVAL:
        return
    with _lock:
        if len(_buffer) < MAX_BUFFERED:
            _buffer[kind, pk] = {"last_used_at": now, **fields}
    _flusher.wake()


def flush() -> None:
    """Write what is buffered, unless another process did; on failure it stays buffered."""
    with _lock:
        batch = dict(_buffer)
    if not batch:
        return
    with transaction.atomic():
        for (kind, pk), values in sorted(batch.items(), key=lambda item: (item[0][0].__name__, item[0][1])):
            old = Q(last_used_at__isnull=True) | Q(last_used_at__lt=values["last_used_at"] - INTERVAL)
            kind._default_manager.filter(old, pk=pk).update(**values)
    with _lock:
        for key, values in batch.items():
            if _buffer.get(key) is values:
                del _buffer[key]


def forget() -> None:
    """Drop what is not written yet (in tests)."""
    with _lock:
        _buffer.clear()


_flusher = Flusher("last use of credentials", FLUSH_SECONDS, flush)
