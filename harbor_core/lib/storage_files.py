"""Content of any size between storage and files of this machine, with its digest checked on the way."""

import hashlib
import os
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from django.core.files.base import File

from harbor_core.lib import storage
from harbor_core.lib.storage_backends import FilesystemBackend, as_os_error

_CHUNK = 1024 * 1024


class DigestError(Exception):
    """Content is not what its digest says."""


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Hashed:
    """A file that is read once, and the SHA-256 of what was read."""

    def __init__(self, file: _Readable) -> None:
        self.file = file
        self.hasher = hashlib.sha256()

    def pieces(self) -> Iterator[bytes]:
        while data := self.file.read(_CHUNK):
            self.hasher.update(data)
            yield data

    def check(self, digest: str) -> None:
        if f"sha256:{self.hasher.hexdigest()}" != digest:
            raise DigestError(f"{digest} has other content")


@as_os_error
def fetch(digest: str, target: Path) -> int:
    """A blob of storage as a file, whole or not at all, flushed to disk. Returns its bytes. Raises OSError
    (FileNotFoundError when it is not there), DigestError."""
    with storage.backend().storage.open(storage.blob_path(digest), "rb") as source:
        return _write_whole(target, _Hashed(source), digest)


@as_os_error
def store(digest: str, source: Path) -> None:
    """A file as a blob in storage, which shows it whole or not at all. Raises OSError, DigestError."""
    backend = storage.backend()
    path = storage.blob_path(digest)
    with source.open("rb") as file:
        hashed = _Hashed(file)
        if isinstance(backend, FilesystemBackend):
            _write_whole(backend.root / path, hashed, digest)
            return
        # An object appears with its last byte, so what is wrong must be known before.
        for _ in hashed.pieces():
            pass
        hashed.check(digest)
        file.seek(0)
        backend.storage.save(path, File(file))


def _write_whole(target: Path, hashed: _Hashed, digest: str) -> int:
    """Under another name first. Returns the bytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    try:
        with temporary.open("xb") as file:
            size = _pour(hashed, file)
        hashed.check(digest)
        temporary.rename(target)
    except BaseException:
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise
    return size


def _pour(source: _Hashed, target: Any) -> int:
    size = 0
    for data in source.pieces():
        target.write(data)
        size += len(data)
    target.flush()
    os.fsync(target.fileno())
    return size


def is_digest(path: Path, digest: str) -> bool:
    """Is the file's content what the digest says? Raises OSError."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}" == digest
