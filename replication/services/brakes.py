"""Limits of bandwidth: one for the task, and one that all tasks of this process with a registry share."""

import threading
import time

from replication.models import Registry

_shared: dict[int, "Brake"] = {}
_lock = threading.Lock()


class Brake:
    """``speed`` in KB/s. Threads may share it."""

    def __init__(self, speed: int) -> None:
        self.speed = speed
        self._free_at = 0.0  # when all that went through has had its time (monotonic)
        self._lock = threading.Lock()

    def after(self, count: int) -> float:
        """Seconds to wait, now that so many bytes more went through."""
        with self._lock:
            now = time.monotonic()
            self._free_at = max(self._free_at, now) + count / (self.speed * 1024)
            return self._free_at - now


def of_registry(registry: Registry) -> Brake | None:
    """What the registry's own limit says, None without one."""
    if registry.speed <= 0:
        return None
    with _lock:
        known = _shared.get(registry.pk)
        if known is None or known.speed != registry.speed:
            known = _shared[registry.pk] = Brake(registry.speed)
        return known
