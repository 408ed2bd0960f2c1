"""Blobs of a proxy project that are not here: streamed from upstream to the client and into storage at once.

One fetches; whoever wants the same blob meanwhile is sent what has arrived so far (on a file system), or waits. The
last piece is held back until the digest is right: what is wrong ends early at the client, and is not stored.
"""

import hashlib
import logging
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import BinaryIO

import httpx

from harbor_core import registry_client
from harbor_core.lib import metrics, storage
from harbor_core.lib.errors import HarborError
from harbor_core.lib.storage_backends import FilesystemBackend, backend
from projects.models import Upload
from projects.services import blobs
from replication.client import PIECE, RemoteError
from replication.models import Flight
from replication.services.proxy import flights, storing
from replication.services.proxy.asking import asking, explained, offline
from replication.services.proxy.upstreams import Upstream

logger = logging.getLogger(__name__)
RESUMES = 3
WATCH_PAUSE, ASK_SECONDS = 0.05, 1.0


@dataclass(frozen=True, slots=True)
class Arriving:
    """A blob on its way; ``size`` in bytes, None when upstream does not say. ``pieces`` must be read or closed."""

    size: int | None
    pieces: "_Pieces | Generator[bytes, None, None]"


class CutOffError(Exception):
    """The blob cannot be finished; the client has to ask again."""


def is_here(repository: str, digest: str) -> bool:
    known = blobs.find(repository, digest) is not None
    return known and storage.linked_sizes(repository, [digest])[digest] is not None


def size_of(upstream: Upstream, repository: str, digest: str) -> int:
    """Bytes, as upstream tells. Raises BLOB_UNKNOWN only where it says so, TOOMANYREQUESTS, UPSTREAM_FAILED."""
    if upstream.offline:
        raise offline(upstream)
    try:
        with asking(upstream) as client, client.opened_blob("HEAD", upstream.remote(repository), digest) as answer:
            length = answer.headers.get("content-length", "")
    except RemoteError as error:
        raise explained(error, "BLOB_UNKNOWN") from error
    if not length.isdigit():
        raise HarborError("UPSTREAM_FAILED", "upstream does not tell the size of the blob")
    return int(length)


def fetch(upstream: Upstream, repository: str, digest: str) -> Arriving | None:
    """None once the blob is here. Raises as :func:`size_of`."""
    if not upstream.takes(repository):
        raise HarborError("BLOB_UNKNOWN", "the project does not let this repository in", detail=repository)
    if upstream.offline:
        raise offline(upstream)
    if not storing.is_possible():
        return _lead(upstream, repository, digest, None)
    key = flights.key_of(upstream, f"blob {repository} {digest}")

    def here() -> Arriving | bool | None:
        if is_here(repository, digest):
            return True
        flight = flights.current(key)
        return _watch(flight, repository, digest) if flight and flight.upload else None

    def taken(lease: flights.Lease) -> Arriving | bool:
        if is_here(repository, digest):
            lease.release()
            return True
        return _lead(upstream, repository, digest, lease)

    try:
        found = flights.wait_for(upstream, key, here, taken)
    except RemoteError as error:  # too many wait for this upstream
        raise explained(error, "BLOB_UNKNOWN") from error
    return found if isinstance(found, Arriving) else None


# ---------------------------------------------------------------------- who fetches
def _lead(upstream: Upstream, repository: str, digest: str, lease: flights.Lease | None) -> Arriving:
    with ExitStack() as stack:
        if lease is not None:
            stack.callback(lease.release)
        source = _Source(upstream, repository, digest)
        stack.callback(source.close)
        source.open()
        store = _store(upstream, repository, digest, source.size, stack) if lease is not None else None
        if lease is not None and store is not None:
            lease.tell(store.identifier, source.size)
        pieces = _Pieces(source, store, lease, stack.pop_all())
        return Arriving(source.size, pieces)
    raise AssertionError("unreachable")


class _Source:
    """The bytes from upstream, resumed where a connection broke."""

    def __init__(self, upstream: Upstream, repository: str, digest: str) -> None:
        self.upstream, self.repository, self.digest = upstream, repository, digest
        self.size: int | None = None
        self._stack = ExitStack()
        self._pieces: Iterator[bytes] = iter(())

    def open(self, start: int = 0) -> None:
        """Raises HarborError (see :func:`size_of`)."""
        self._stack.close()
        name = self.upstream.remote(self.repository)
        try:
            with asking(self.upstream) as client:
                answer = self._stack.enter_context(client.opened_blob("GET", name, self.digest, start))
        except RemoteError as error:
            raise explained(error, "BLOB_UNKNOWN") from error
        if not start:
            length = answer.headers.get("content-length", "")
            self.size = int(length) if length.isdigit() else None
        self._pieces = answer.iter_raw()  # as they come: what a broken connection brought is not lost in a buffer

    def __iter__(self) -> Iterator[bytes]:
        received, resumes = 0, 0
        while True:
            try:
                for piece in self._pieces:
                    received += len(piece)
                    yield piece
                if self.size is None or received >= self.size:
                    return
                failure: Exception = CutOffError("upstream ends early")
            except (httpx.HTTPError, OSError) as exc:
                failure = exc
            if resumes == RESUMES:
                raise CutOffError(f"upstream fails in the middle of {self.digest}: {failure}") from failure
            resumes += 1
            try:
                self.open(received)
            except HarborError as error:
                raise CutOffError(f"{self.digest} cannot be gone on with at {received}: {error.message}") from error

    def close(self) -> None:
        self._stack.close()


class _Store:
    """An upload of nobody's into the storage registry."""

    def __init__(self, upload: Upload, repository: str, digest: str) -> None:
        self.upload, self.repository, self.digest = upload, repository, digest
        self.identifier = str(upload.pk)
        self._writer = registry_client.ChunkWriter(repository, self.identifier)
        self._is_stored = False

    def write(self, piece: bytes) -> None:
        """Raises SERVICE_UNAVAILABLE."""
        self._writer.write(piece)

    def commit(self, size: int) -> None:
        """Raises HarborError."""
        self._writer.finish()
        blobs.commit(self.upload, self.digest, size)
        registry_client.commit_upload(self.repository, self.identifier, size, self.digest)
        self._is_stored = True

    def close(self) -> None:
        self._writer.close()
        if not self._is_stored:
            with suppress(OSError):  # a sweeper removes what is left
                blobs.cancel(self.upload)


def _store(upstream: Upstream, repository: str, digest: str, size: int | None, stack: ExitStack) -> _Store | None:
    """None where the blob is only passed on: no room, or nothing to write to."""
    project = storing.access_of(upstream)
    try:
        identifier, _ = blobs.start_upload(storing.SYSTEM, project, repository)
        upload = blobs.upload_of(identifier, repository)
        blobs.note_progress(upload, size or 0)
        store = _Store(upload, repository, digest)
    except (HarborError, OSError) as error:
        logger.warning("%s of %s is not kept: %s", digest, repository, error)
        return None
    stack.callback(store.close)
    return store


class _Pieces:
    """What the client is sent. A client that goes away does not end the fetch: others may wait for it."""

    def __init__(
        self, source: _Source, store: _Store | None, lease: flights.Lease | None, resources: ExitStack
    ) -> None:
        self._source, self._store, self._lease = source, store, lease
        self._resources = resources
        self._arriving = self._run()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._arriving)

    def close(self) -> None:
        try:
            if self._store is not None:
                for _ in self._arriving:
                    pass
        except CutOffError as error:
            logger.warning("%s", error)
        finally:
            self._resources.close()

    def _run(self) -> Iterator[bytes]:
        source, speed = self._source, self._source.upstream.speed
        sha, received, held, began = hashlib.sha256(), 0, b"", time.monotonic()
        for piece in source:
            yield held
            sha.update(piece)
            received += len(piece)
            metrics.fetched(len(piece))
            held = piece
            self._write(piece)
            if self._lease is not None:
                self._lease.renew()
            if speed > 0:
                time.sleep(max(received / (speed * 1024) - (time.monotonic() - began), 0))
        if f"sha256:{sha.hexdigest()}" != source.digest:
            raise CutOffError(f"upstream sends something that is not {source.digest}")
        self._commit(received)
        yield held

    def _write(self, piece: bytes) -> None:
        if self._store is None:
            return
        try:
            self._store.write(piece)
        except HarborError as error:
            self._give_up(error)

    def _commit(self, size: int) -> None:
        if self._store is None:
            return
        try:
            self._store.commit(size)
            storing.promote(self._source.upstream, self._source.repository, self._source.digest)
        except HarborError as error:
            self._give_up(error)

    def _give_up(self, error: HarborError) -> None:
        """The client still gets it."""
        logger.warning("%s of %s is not kept: %s", self._source.digest, self._source.repository, error.message)
        self._store = None


# ---------------------------------------------------------------------- who watches
def _watch(flight: Flight, repository: str, digest: str) -> Arriving | None:
    """What has arrived so far and what comes, read from the file it is written to. None where there is no such file."""
    store = backend()
    if not isinstance(store, FilesystemBackend) or flight.size is None:
        return None
    try:
        file = (store.root / storage.upload_prefix(repository, flight.upload) / "data").open("rb")
    except FileNotFoundError:
        return None
    return Arriving(flight.size, _follow(file, flight, repository, digest))


def _follow(file: BinaryIO, flight: Flight, repository: str, digest: str) -> Generator[bytes, None, None]:
    def is_over() -> bool:
        """Raises CutOffError when nobody goes on with it."""
        leads = flights.current(flight.key)
        if is_here(repository, digest):
            return True
        if leads is None or leads.owner != flight.owner:
            raise CutOffError(f"{digest} is not fetched any more")
        return False

    with file:
        sent, held, asked = 0, b"", time.monotonic()
        while sent + len(held) < (flight.size or 0):
            piece = file.read(PIECE)
            if piece:
                yield held
                sent += len(held)
                held, asked = piece, time.monotonic()
                continue
            time.sleep(WATCH_PAUSE)
            if time.monotonic() - asked > ASK_SECONDS:
                asked = time.monotonic()
                is_over()
        while not is_over():
            time.sleep(WATCH_PAUSE)
        yield held
