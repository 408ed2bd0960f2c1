"""Move one artifact from one end to the other: children first, then blobs, the manifest, and what belongs to it.

What is there already is left alone, so running again goes on where it stopped; an upload that was cut off goes on at
its offset (the task remembers its address). Blobs are streamed; the receiving end verifies their digests. A blob that
another repository at the target has is linked there.
"""

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx
from django.db import connection
from django.utils import timezone

from harbor_core.lib import media_types, names
from harbor_core.lib.errors import HarborError
from jobservice.jobs import JobFailed, Postponed
from jobservice.worker.context import Context
from projects.manifests import platforms
from projects.manifests.parse import Descriptor, Manifest, parse
from replication.adapters.harbor import Harbor
from replication.client import PIECE, Client, RemoteError
from replication.services import windows
from replication.services.brakes import Brake
from replication.services.charts import Charts
from replication.services.ends import Source, Target
from replication.services.local import Local

CHUNK = 10 * 1024 * 1024
PARALLEL = 3
WHOLE = CHUNK // PARALLEL  # bytes: a blob below goes in one request; all that go at once are no more than a chunk
DEPTH_MAX = 8
REFUSED = (403, 412, 413)  # no right to it, no room for it, too large: another attempt changes nothing
ATTEMPTS, PAUSE = 5, 2.0
CLOSED = "outside of the hours in which the policy copies"


def wait_for(window: str) -> None:
    """Raises Postponed while the window is closed."""
    seconds = windows.wait(window, timezone.now())
    if seconds:
        raise Postponed(CLOSED, seconds)


@dataclass
class Transfer:
    """Of one repository. ``platforms`` of an index that are copied, none for all. ``neighbour`` says for a digest which
    other repository at the target may have the blob. ``moved`` counts bytes."""

    context: Context
    source: Source
    target: Target
    source_name: str
    target_name: str
    override: bool = True
    brakes: Sequence[Brake] = ()
    chunked: bool = False
    platforms: Sequence[str] = ()
    window: str = ""
    neighbour: Callable[[str], str] = lambda digest: ""
    moved: int = 0
    done: int = 0
    total: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def copy(self, reference: str, *, override: bool | None = None, depth: int = 0) -> None:
        """A tag or digest with all that belongs to it. Raises JobFailed, RemoteError, HarborError."""
        self._check()
        if depth > DEPTH_MAX:
            raise JobFailed(f"{self.source_name}:{reference} is nested too deeply")
        if self._is_known_chart(reference):
            self.context.log.info("%s:%s is there", self.target_name, reference)
            return
        content, media_type = self.source.manifest(self.source_name, reference)
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if names.is_digest(reference) and digest != reference:
            raise JobFailed(f"{self.source_name}@{reference} does not have this digest")
        there = self.target.digest(self.target_name, reference)
        if there == digest:
            self._complete(digest, content, media_type, depth)
            self.context.log.info("%s:%s is there", self.target_name, reference)
        elif there and not (self.override if override is None else override):
            self.context.log.warning("%s:%s is another one there and is kept", self.target_name, reference)
            return
        elif self._put(reference, content, media_type, depth):
            self.context.log.info("%s:%s is copied (%s)", self.target_name, reference, digest)
        else:
            return
        self._accessories(digest, depth)

    def _check(self) -> None:
        """Raises StopRequested and the like, Postponed."""
        self.context.check_stop()
        wait_for(self.window)

    def _is_known_chart(self, tag: str) -> bool:
        """Is the chart's archive at the target? The index tells its digest, so it need not be fetched to know."""
        if not isinstance(self.source, Charts) or not self.target.digest(self.target_name, tag):
            return False
        return self.source.has_made(self.source_name, tag, *self.target.manifest(self.target_name, tag))

    def _put(self, reference: str, content: bytes, media_type: str, depth: int) -> bool:
        """Returns False for an index that has none of the platforms."""
        manifest = parse(content, media_type)
        children = platforms.chosen(manifest.children, self.platforms)
        if manifest.children and not children:
            self.context.log.warning("%s:%s has none of the platforms", self.source_name, reference)
            return False
        self._refuse_absent(reference, content, children)
        for child in children:
            self.copy(child.digest, override=True, depth=depth + 1)
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="blob") as pool:
            list(pool.map(self._blob, manifest.blobs))  # raises the first failure
        try:
            left = self.platforms if len(children) < len(manifest.children) else ()
            is_listed = self.target.put_manifest(self.target_name, reference, content, media_type, left)
        except RemoteError as exc:
            if left and exc.status in (400, 404):
                raise JobFailed(f"the destination takes no index that lacks some of its platforms: {exc}") from exc
            raise
        if manifest.subject and not is_listed and isinstance(self.target, Client):
            row = _row(manifest, media_type, content)
            self.target.add_referrer(self.target_name, manifest.subject.digest, row)
        return True

    def _complete(self, digest: str, content: bytes, media_type: str, depth: int) -> None:
        """The index is there; an earlier run may have left children out that are wanted now."""
        if media_type not in media_types.INDEXES:
            return
        if self.platforms or self._lacking(self.target, self.target_name, digest):
            for child in platforms.chosen(parse(content, media_type).children, self.platforms):
                self.copy(child.digest, override=True, depth=depth + 1)

    @staticmethod
    def _lacking(end: Target, repository: str, digest: str) -> set[str]:
        """Children that the index is there without, as far as the registry tells."""
        if isinstance(end, Local):
            return end.absent(repository, digest)
        return end.adapter.absent(repository, digest) if isinstance(end.adapter, Harbor) else set()

    def _refuse_absent(self, reference: str, content: bytes, children: Sequence[Descriptor]) -> None:
        """What another policy brought here without some platforms can be copied on with those it has."""
        if children and isinstance(self.source, Local):
            digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
            lacking = self._lacking(self.source, self.source_name, digest)
            if lacking & {child.digest for child in children}:
                raise JobFailed(
                    f"{self.source_name}:{reference} is here without some of its platforms: choose those that are"
                )

    def _accessories(self, digest: str, depth: int) -> None:
        for referrer in self.source.referrers(self.source_name, digest):
            if names.is_digest(referrer):
                self.copy(referrer, override=True, depth=depth + 1)
        if depth and isinstance(self.source, Client):
            return  # tools sign what has a tag; asking another registry for each child would triple the calls
        for tag in self.source.referrer_tags(self.source_name, digest):
            self.copy(tag, override=True, depth=depth + 1)

    # ------------------------------------------------------------------ blobs
    def _blob(self, blob: Descriptor) -> None:
        try:
            self._insist(blob)
        finally:
            connection.close()  # this thread's own

    def _insist(self, blob: Descriptor) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            self._check()
            try:
                if not self.target.has_blob(self.target_name, blob.digest):
                    self._send(blob)
                return
            except (RemoteError, httpx.HTTPError, OSError) as exc:
                status, after = getattr(exc, "status", 0), getattr(exc, "retry_after", 0)
                # 429: the client has waited already, as long as a thread should.
                if attempt == ATTEMPTS or status in REFUSED or status == 429:
                    raise RemoteError(f"blob {blob.digest}: {exc}"[:500], status, after) from exc
                self.context.log.warning("blob %s, attempt %d: %s", blob.digest, attempt, exc)
                self.context.sleep(PAUSE * 2 ** (attempt - 1))

    def _send(self, blob: Descriptor) -> None:
        location, offset = self._session(blob)
        if not location:
            self.context.log.info("blob %s is linked from another repository", blob.digest)
            return
        if blob.size < WHOLE:
            with self.source.blob(self.source_name, blob.digest) as content:
                part = self._metered(content, blob.size)
                self.target.put_blob(self.target_name, location, blob.digest, part, blob.size)
            self.context.advanced()
            return
        if offset:
            self.context.log.info("blob %s goes on at %d of %d", blob.digest, offset, blob.size)
        while offset < blob.size:
            length = min(CHUNK, blob.size - offset) if self.chunked else blob.size - offset
            wanted = length if offset + length < blob.size else 0
            with self.source.blob(self.source_name, blob.digest, offset, wanted) as content:
                part = self._metered(content, length)
                location = self.target.append(self.target_name, location, offset, part, length)
            offset += length
            if offset < blob.size:
                self._remember(blob, location, offset)
        try:
            self.target.commit(self.target_name, location, blob.digest)
        except (RemoteError, HarborError) as exc:
            if getattr(exc, "status", 400) in range(400, 500):  # it cannot be gone on with
                self._remember(blob, "", 0)
            raise
        self._remember(blob, "", 0)
        self.context.advanced()

    def _session(self, blob: Descriptor) -> tuple[str, int]:
        """Where to go on: what an earlier run or attempt left, or a new session. No address when there is
        nothing to send."""
        known = self.context.task.extra_attrs.get("uploads", {}).get(blob.digest, "")
        found = self.target.upload_offset(self.target_name, known) if known else None
        if found is not None and found[0] <= blob.size:
            self._remember(blob, found[1], found[0])
            return found[1], found[0]
        location = self.target.open_upload(self.target_name, blob.digest, self.neighbour(blob.digest))
        if location:
            self._remember(blob, location, 0)
        return location, 0

    def _remember(self, blob: Descriptor, location: str, offset: int) -> None:
        """The address to go on at, empty when the session has ended; and how far it came. What goes whole is sent again
        rather than written down: that costs a commit."""
        if blob.size < WHOLE:
            return
        digest = blob.digest
        with self._lock:
            known = self.context.task.extra_attrs
            uploads = {**known.get("uploads", {}), digest: location}
            offsets = {**known.get("offsets", {}), digest: offset}
            if offset - known.get("offsets", {}).get(digest, 0) >= PIECE:
                self.context.advanced()
            self.context.report(
                uploads={name: value for name, value in uploads.items() if value},
                offsets={name: value for name, value in offsets.items() if uploads.get(name)},
            )

    def _metered(self, content: Iterator[bytes], length: int) -> Iterator[bytes]:
        """Exactly ``length`` bytes, at the speed that is allowed. Raises RemoteError when there are fewer."""
        left = length
        for piece in content:
            self._check()
            piece = piece[:left]
            left -= len(piece)
            with self._lock:
                self.moved += len(piece)
                moved = self.moved
            self.context.progress(self.done, self.total, moved)
            for brake in self.brakes:
                self.context.sleep(brake.after(len(piece)))
            yield piece
            if not left:
                next(content, b"")  # only an answer that was read to its end leaves its connection to the next call
                return
        if left:
            raise RemoteError(f"the source ends {left} bytes early")


def _row(manifest: Manifest, media_type: str, content: bytes) -> dict[str, Any]:
    """Its descriptor in a list of referrers."""
    row: dict[str, Any] = {
        "mediaType": media_type,
        "digest": f"sha256:{hashlib.sha256(content).hexdigest()}",
        "size": len(content),
        "artifactType": manifest.artifact_type,
    }
    return row | ({"annotations": manifest.annotations} if manifest.annotations else {})


def explained(error: Exception) -> str:
    """One sentence for whoever looks at the task."""
    return error.message if isinstance(error, HarborError) else str(error)
