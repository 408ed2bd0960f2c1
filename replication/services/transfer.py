"""Move one artifact from one end to the other: children first, then blobs, the manifest, and what belongs to it.

What is there already is left alone, so running again goes on where it stopped; an upload that was cut off goes on at
its offset (the task remembers its address). Blobs are streamed; the receiving end verifies their digests.
"""

import hashlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx
from django.db import connection

from harbor_core.lib import names
from harbor_core.lib.errors import HarborError
from jobservice.jobs import JobFailed
from jobservice.worker.context import Context
from projects.manifests.parse import Descriptor, parse
from replication.client import Client, RemoteError
from replication.services.local import Local

End = Client | Local
CHUNK = 10 * 1024 * 1024
PARALLEL = 3
DEPTH_MAX = 8
REFUSED = (403, 412, 413)  # no right to it, no room for it, too large: another attempt changes nothing
ATTEMPTS, PAUSE = 5, 2.0
COSIGN = (".sig", ".att", ".sbom")


@dataclass
class Transfer:
    """Of one repository. ``speed`` in KB/s, nothing above 0 for no limit. ``moved`` counts bytes."""

    context: Context
    source: End
    target: End
    source_name: str
    target_name: str
    override: bool = True
    speed: int = 0
    chunked: bool = False
    moved: int = 0
    done: int = 0
    total: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _began: float = field(default_factory=time.monotonic)

    def copy(self, reference: str, *, override: bool | None = None, depth: int = 0) -> None:
        """A tag or digest with all that belongs to it. Raises JobFailed, RemoteError, HarborError."""
        self.context.check_stop()
        if depth > DEPTH_MAX:
            raise JobFailed(f"{self.source_name}:{reference} is nested too deeply")
        content, media_type = self.source.manifest(self.source_name, reference)
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if names.is_digest(reference) and digest != reference:
            raise JobFailed(f"{self.source_name}@{reference} does not have this digest")
        there = self.target.digest(self.target_name, reference)
        if there == digest:
            self.context.log.info("%s:%s is there", self.target_name, reference)
        elif there and not (self.override if override is None else override):
            self.context.log.warning("%s:%s is another one there and is kept", self.target_name, reference)
            return
        else:
            self._put(reference, content, media_type, depth)
            self.context.log.info("%s:%s is copied (%s)", self.target_name, reference, digest)
        self._accessories(digest, depth)

    def _put(self, reference: str, content: bytes, media_type: str, depth: int) -> None:
        manifest = parse(content, media_type)
        for child in manifest.children:
            self.copy(child.digest, override=True, depth=depth + 1)
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="blob") as pool:
            list(pool.map(self._blob, manifest.blobs))  # raises the first failure
        self.target.put_manifest(self.target_name, reference, content, media_type)

    def _accessories(self, digest: str, depth: int) -> None:
        for referrer in self.source.referrers(self.source_name, digest):
            if names.is_digest(referrer):
                self.copy(referrer, override=True, depth=depth + 1)
        if depth:  # tools sign what has a tag; asking for each child would triple the calls
            return
        for suffix in COSIGN:
            tag = digest.replace(":", "-") + suffix
            if self.source.digest(self.source_name, tag):
                self.copy(tag, override=True, depth=depth + 1)

    # ------------------------------------------------------------------ blobs
    def _blob(self, blob: Descriptor) -> None:
        try:
            self._insist(blob)
        finally:
            connection.close()  # this thread's own

    def _insist(self, blob: Descriptor) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            self.context.check_stop()
            try:
                if not self.target.has_blob(self.target_name, blob.digest):
                    self._send(blob)
                return
            except (RemoteError, httpx.HTTPError, OSError) as exc:
                status = getattr(exc, "status", 0)
                if attempt == ATTEMPTS or status in REFUSED:
                    raise RemoteError(f"blob {blob.digest}: {exc}"[:500], status) from exc
                self.context.log.warning("blob %s, attempt %d: %s", blob.digest, attempt, exc)
                self.context.sleep(PAUSE * 2 ** (attempt - 1))

    def _send(self, blob: Descriptor) -> None:
        location, offset = self._session(blob)
        if offset:
            self.context.log.info("blob %s goes on at %d of %d", blob.digest, offset, blob.size)
        while offset < blob.size:
            length = min(CHUNK, blob.size - offset) if self.chunked else blob.size - offset
            with self.source.blob(self.source_name, blob.digest, offset) as content:
                part = self._metered(content, length)
                location = self.target.append(self.target_name, location, offset, part, length)
            offset += length
            self._remember(blob.digest, location)
        try:
            self.target.commit(self.target_name, location, blob.digest)
        finally:
            self._remember(blob.digest, "")  # refused or taken, it cannot be gone on with

    def _session(self, blob: Descriptor) -> tuple[str, int]:
        """Where to go on: what an earlier run or attempt left, or a new session."""
        known = self.context.task.extra_attrs.get("uploads", {}).get(blob.digest, "")
        found = self.target.upload_offset(self.target_name, known) if known else None
        if found is not None and found[0] <= blob.size:
            return found[1], found[0]
        location = self.target.open_upload(self.target_name)
        self._remember(blob.digest, location)
        return location, 0

    def _remember(self, digest: str, location: str) -> None:
        with self._lock:
            uploads = {**self.context.task.extra_attrs.get("uploads", {}), digest: location}
            self.context.report(uploads={name: value for name, value in uploads.items() if value})

    def _metered(self, content: Iterator[bytes], length: int) -> Iterator[bytes]:
        """Exactly ``length`` bytes, at the speed that is allowed. Raises RemoteError when there are fewer."""
        left = length
        for piece in content:
            self.context.check_stop()
            piece = piece[:left]
            left -= len(piece)
            with self._lock:
                self.moved += len(piece)
                moved = self.moved
            self.context.progress(self.done, self.total, moved)
            if self.speed > 0:
                self._brake(moved)
            yield piece
            if not left:
                return
        if left:
            raise RemoteError(f"the source ends {left} bytes early")

    def _brake(self, moved: int) -> None:
        ahead = moved / (self.speed * 1024) - (time.monotonic() - self._began)
        if ahead > 0:
            self.context.sleep(ahead)


def explained(error: Exception) -> str:
    """One sentence for whoever looks at the task."""
    return error.message if isinstance(error, HarborError) else str(error)
