"""Where logs are kept: a log is bytes, appended at its end and read from any offset while it grows."""

import sys
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Protocol

from django.conf import settings
from django.db.models import F, Max
from django.db.models.functions import Length

from harbor_core.lib import storage
from jobservice.models import LogChunk


class LogStore(Protocol):
    """``flush_seconds`` is how often a growing log is worth writing. Methods raise OSError or DatabaseError."""

    flush_seconds: float
    readable: bool

    def append(self, task_id: int, offset: int, data: bytes) -> None:
        """``offset`` is the log's size before."""

    def read(self, task_id: int, offset: int, limit: int) -> bytes:
        """At most ``limit`` bytes from ``offset``; empty behind the end, and for a log that is not there."""

    def size(self, task_id: int) -> int: ...

    def delete(self, task_ids: Iterable[int]) -> None:
        """Logs that are gone already are no error."""


class FileStore:
    """A file per task below a folder. Core and workers must see the same folder."""

    flush_seconds = 0.5
    readable = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _path(self, task_id: int) -> Path:
        return self._folder / f"{task_id // 1000:06d}" / f"{task_id}.log"

    def append(self, task_id: int, offset: int, data: bytes) -> None:
        path = self._path(task_id)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        with path.open("ab") as file:
            file.write(data)

    def read(self, task_id: int, offset: int, limit: int) -> bytes:
        try:
            with self._path(task_id).open("rb") as file:
                file.seek(offset)
                return file.read(limit)
        except FileNotFoundError:
            return b""

    def size(self, task_id: int) -> int:
        try:
            return self._path(task_id).stat().st_size
        except FileNotFoundError:
            return 0

    def delete(self, task_ids: Iterable[int]) -> None:
        for task_id in task_ids:
            path = self._path(task_id)
            path.unlink(missing_ok=True)
            with suppress(OSError):  # others' logs are in there
                path.parent.rmdir()


class DatabaseStore:
    """A row per piece."""

    flush_seconds = 1.0
    readable = True

    def append(self, task_id: int, offset: int, data: bytes) -> None:
        LogChunk.objects.bulk_create([LogChunk(task_id=task_id, offset=offset, data=data)], ignore_conflicts=True)

    def read(self, task_id: int, offset: int, limit: int) -> bytes:
        pieces = LogChunk.objects.filter(task_id=task_id, offset__lt=offset + limit)
        pieces = pieces.alias(end=F("offset") + Length("data")).filter(end__gt=offset).order_by("offset")
        return _cut(((piece.offset, bytes(piece.data)) for piece in pieces.iterator()), offset, limit)

    def size(self, task_id: int) -> int:
        pieces = LogChunk.objects.filter(task_id=task_id)
        return pieces.aggregate(size=Max(F("offset") + Length("data")))["size"] or 0

    def delete(self, task_ids: Iterable[int]) -> None:
        LogChunk.objects.filter(task_id__in=list(task_ids)).delete()


class ObjectStore:
    """An object per piece, beside the registry's tree in its storage."""

    flush_seconds = 10.0  # each flush makes an object
    readable = True

    def _prefix(self, task_id: int) -> str:
        return f"job_logs/{task_id}"

    def _pieces(self, task_id: int) -> list[tuple[int, int, str]]:
        """(offset, size, path) in order."""
        found = storage.backend().walk(self._prefix(task_id) + "/")
        return sorted((int(path.rsplit("/", 1)[1]), size, path) for path, size in found)

    def append(self, task_id: int, offset: int, data: bytes) -> None:
        storage.backend().put(f"{self._prefix(task_id)}/{offset:012d}", data)

    def read(self, task_id: int, offset: int, limit: int) -> bytes:
        wanted = [
            (start, path)
            for start, size, path in self._pieces(task_id)
            if start < offset + limit and start + size > offset
        ]
        return _cut(((start, storage.backend().read(path)) for start, path in wanted), offset, limit)

    def size(self, task_id: int) -> int:
        return max((start + size for start, size, _ in self._pieces(task_id)), default=0)

    def delete(self, task_ids: Iterable[int]) -> None:
        for task_id in task_ids:
            with suppress(FileNotFoundError):
                storage.backend().remove_tree(self._prefix(task_id))


class StdoutStore:
    """The worker's own output, for a collector outside. Cannot be read back."""

    flush_seconds = 0.5
    readable = False

    def append(self, task_id: int, offset: int, data: bytes) -> None:
        for line in data.decode(errors="replace").splitlines():
            sys.stdout.write(f"task {task_id} | {line}\n")
        sys.stdout.flush()

    def read(self, task_id: int, offset: int, limit: int) -> bytes:
        return b""

    def size(self, task_id: int) -> int:
        return 0

    def delete(self, task_ids: Iterable[int]) -> None:
        return


def _cut(pieces: Iterable[tuple[int, bytes]], offset: int, limit: int) -> bytes:
    """``limit`` bytes from ``offset`` of pieces in order, up to the first gap."""
    found = bytearray()
    for start, data in pieces:
        position = offset + len(found)
        if start > position:
            break
        found += data[position - start : position - start + limit - len(found)]
        if len(found) >= limit:
            break
    return bytes(found)


@cache
def stores() -> tuple[LogStore, ...]:
    """Those of HARBOR_JOB_LOGGERS, in its order."""
    made: dict[str, LogStore] = {
        "file": FileStore(settings.JOB_LOG_DIR),
        "database": DatabaseStore(),
        "storage": ObjectStore(),
        "stdout": StdoutStore(),
    }
    return tuple(made[name] for name in settings.JOB_LOGGERS)


def _first() -> LogStore | None:
    return next((store for store in stores() if store.readable), None)


def read(task_id: int, offset: int, limit: int) -> bytes:
    """At most ``limit`` bytes of the task's log from ``offset``; empty where there is nothing (yet)."""
    store = _first()
    return store.read(task_id, offset, limit) if store else b""


def size(task_id: int) -> int:
    """Bytes of the task's log so far."""
    store = _first()
    return store.size(task_id) if store else 0


def delete(task_ids: Iterable[int]) -> None:
    ids = list(task_ids)
    for store in stores():
        store.delete(ids)
