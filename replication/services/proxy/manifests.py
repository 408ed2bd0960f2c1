"""Manifests of a proxy project: what may be served, after asking upstream where the project wants it asked.

The database decides what is served: an artifact under the name, or a manifest that waits for its blobs. Upstream is
asked for what is not here, and for tags that are not fresh. What cannot be asked is served as it was, with a note.
"""

import hashlib
import math
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils import timezone

from harbor_core.lib import names
from harbor_core.lib.errors import HarborError
from harbor_core.lib.timefmt import seconds
from harbor_core.lib.ttl import TTLCache
from harbor_core.services import audit
from replication.client import RemoteError
from replication.models import UpstreamTag
from replication.services.proxy import flights, storing
from replication.services.proxy.asking import CrowdedError, asking, explained, garbage, offline
from replication.services.proxy.storing import Copy
from replication.services.proxy.upstreams import Upstream

HIT, MOVED, MISS = "hit", "moved", "miss"
REMEMBERED_SECONDS = 10.0
_fresh: TTLCache[bool] = TTLCache(50_000)  # tags that need not be looked at, as far as this process knows


@dataclass(frozen=True, slots=True)
class Outcome:
    """``copy`` None: the artifact that the database has under the name. ``note``: how it came to be served."""

    copy: Copy | None
    note: str = HIT


@dataclass(frozen=True, slots=True)
class Wanted:
    """A manifest of a repository; ``here``: digest of the artifact the tag names in the database, empty for none.
    ``began``: a time before that was looked up; what upstream has told anybody since then need not be asked again."""

    upstream: Upstream
    repository: str
    reference: str
    here: str
    describe: bool  # its bytes are not asked for
    began: datetime

    @property
    def remote(self) -> str:
        return self.upstream.remote(self.repository)

    @property
    def key(self) -> tuple[int, str, str]:
        return self.upstream.project_id, self.repository, self.reference


def manifest(wanted: Wanted) -> Outcome:
    """Raises MANIFEST_UNKNOWN only where upstream says so (or the project's patterns), TOOMANYREQUESTS,
    UPSTREAM_FAILED."""
    if not wanted.upstream.takes(wanted.repository):
        raise HarborError("MANIFEST_UNKNOWN", "the project does not let this repository in", detail=wanted.repository)
    return _by_digest(wanted) if names.is_digest(wanted.reference) else _by_tag(wanted)


# ---------------------------------------------------------------------- by digest
def _by_digest(wanted: Wanted) -> Outcome:
    """Of one that is no artifact here."""
    copy = storing.pending(wanted.upstream, wanted.repository, wanted.reference)
    if copy is not None:
        return Outcome(copy)
    if wanted.upstream.offline:
        raise offline(wanted.upstream)
    try:
        return _described(wanted) if wanted.describe else _fetch(wanted)
    except RemoteError as error:
        raise explained(error, "MANIFEST_UNKNOWN") from error


def _described(wanted: Wanted) -> Outcome:
    with asking(wanted.upstream) as client:
        seen = client.describe(wanted.remote, wanted.reference)
    if seen is None:
        raise HarborError("MANIFEST_UNKNOWN", detail=wanted.reference)
    return Outcome(Copy(wanted.reference, seen.media_type, seen.size), MISS)


def _fetch(wanted: Wanted) -> Outcome:
    """Raises RemoteError, HarborError."""
    if not storing.is_possible():
        return _bring(wanted)

    def here() -> Outcome | None:
        digest = wanted.reference
        if not names.is_digest(digest):
            row = _row(wanted)
            if row is None or row.checked_at < wanted.began or row.gone_since:
                return None
            digest = row.digest
        return _stored(wanted, digest)

    key = flights.key_of(wanted.upstream, f"manifest {wanted.repository} {wanted.reference}")
    return flights.alone(wanted.upstream, key, here, lambda _: _bring(wanted))


def _bring(wanted: Wanted) -> Outcome:
    with asking(wanted.upstream) as client:
        content, media_type = client.manifest(wanted.remote, wanted.reference)
    copy = Copy(f"sha256:{hashlib.sha256(content).hexdigest()}", media_type, len(content), content)
    if not names.is_digest(wanted.reference):
        if storing.is_possible():
            _remember(wanted, copy.digest)
    elif copy.digest != wanted.reference:
        raise garbage(f"the manifest {wanted.reference} has the digest {copy.digest}")
    kept = storing.keep(wanted.upstream, wanted.repository, copy)
    if kept and not names.is_digest(wanted.reference):
        # Whoever looked between the two found the tag without its manifest: for them it was said when both were here.
        _remember(wanted, copy.digest)
    if kept and storing.has_artifact(wanted.repository, copy.digest):
        return Outcome(None, MISS)
    return Outcome(copy, MISS)


def _stored(wanted: Wanted, digest: str) -> Outcome | None:
    """What is here of this digest."""
    if digest == wanted.here:
        return Outcome(None)
    if storing.has_artifact(wanted.repository, digest):
        if names.is_digest(wanted.reference):
            return Outcome(None)
        return Outcome(None, MOVED) if _point(wanted, digest) else None
    copy = storing.pending(wanted.upstream, wanted.repository, digest)
    return Outcome(copy) if copy else None


def _point(wanted: Wanted, digest: str) -> bool:
    """The tag is to name an artifact that is here. False when the project does not take it."""
    copy = storing.copy_of(wanted.repository, digest)
    return copy is not None and storing.is_possible() and storing.publish(wanted.upstream, wanted.repository, copy)


# ---------------------------------------------------------------------- by tag
def _by_tag(wanted: Wanted) -> Outcome:
    upstream = wanted.upstream
    if wanted.here and _fresh.get(wanted.key):
        return Outcome(None)
    row = _row(wanted)
    kept = _kept(wanted, row)
    left = _seconds_left(wanted, row)
    if kept is not None and (upstream.offline or left > 0):
        if kept.copy is None and not upstream.offline:
            _fresh.put(wanted.key, True, min(left, REMEMBERED_SECONDS))
        return kept
    if upstream.offline:
        raise offline(upstream)
    try:
        if kept is None and not wanted.describe:
            return _fetch(wanted)
        return _look(wanted, row, kept)
    except RemoteError as error:
        return _gone(wanted, row, kept) if error.status == 404 else _stale(wanted, row, kept, error)


def _look(wanted: Wanted, row: UpstreamTag | None, kept: Outcome | None) -> Outcome:
    """Ask upstream what the tag names now."""
    with asking(wanted.upstream) as client:
        seen = client.describe(wanted.remote, wanted.reference)
    if seen is None:
        return _gone(wanted, row, kept)
    if not names.is_digest(seen.digest):  # it does not tell: only the bytes do
        return _fetch(wanted)
    if row is None or row.digest != seen.digest or row.stale_since or row.gone_since or _has_time(wanted):
        _remember(wanted, seen.digest)
    stored = _stored(wanted, seen.digest)
    if stored is not None:
        return stored
    if wanted.describe and seen.size >= 0:
        return Outcome(Copy(seen.digest, seen.media_type, seen.size), MISS)
    return _fetch(wanted)


def _has_time(wanted: Wanted) -> bool:
    return wanted.upstream.freshness > 0


def _seconds_left(wanted: Wanted, row: UpstreamTag | None) -> float:
    """How long the tag need not be looked at."""
    freshness = wanted.upstream.freshness
    if freshness == math.inf:
        return freshness
    if not freshness or row is None or row.stale_since or row.gone_since:
        return 0.0
    return freshness - (timezone.now() - row.checked_at).total_seconds()


def _kept(wanted: Wanted, row: UpstreamTag | None) -> Outcome | None:
    """What can be served without upstream: what it named last, if that is here, or else what the tag names."""
    if row is not None and row.digest != wanted.here:
        copy = storing.pending(wanted.upstream, wanted.repository, row.digest)
        if copy is not None and not (row.stale_since and wanted.here):
            return Outcome(copy)
    return Outcome(None) if wanted.here else None


def _row(wanted: Wanted) -> UpstreamTag | None:
    return UpstreamTag.objects.filter(
        project_id=wanted.upstream.project_id, repository_name=wanted.repository, name=wanted.reference
    ).first()


def _remember(wanted: Wanted, digest: str) -> None:
    """Upstream was asked just now and named this."""
    values = {"digest": digest, "checked_at": timezone.now(), "stale_since": None, "gone_since": None, "reason": ""}
    UpstreamTag.objects.update_or_create(
        values,
        project_id=wanted.upstream.project_id,
        repository_name=wanted.repository,
        name=wanted.reference,
    )


# ---------------------------------------------------------------------- upstream fails
def _stale(wanted: Wanted, row: UpstreamTag | None, kept: Outcome | None, error: RemoteError) -> Outcome:
    failure = explained(error, "MANIFEST_UNKNOWN")
    if kept is None:
        raise failure from error
    since = row.stale_since if row and row.stale_since else timezone.now()
    if not isinstance(error, CrowdedError) and (row is None or row.stale_since is None):
        _mark(wanted, row, "stale", failure.message, stale_since=since, reason=failure.message[:300])
    if wanted.here:
        kept = Outcome(None)  # a whole one rather than one that waits for blobs nobody can fetch now
    return Outcome(kept.copy, stale_note(since, failure))


def _gone(wanted: Wanted, row: UpstreamTag | None, kept: Outcome | None) -> Outcome:
    """Upstream says that there is no such tag (any more)."""
    since = row.gone_since if row and row.gone_since else timezone.now()
    if kept is not None and (row is None or row.gone_since is None):
        _mark(wanted, row, "gone", "upstream has no such tag", gone_since=since, stale_since=None, reason="")
    if kept is None or not wanted.upstream.serves_gone:
        raise HarborError("MANIFEST_UNKNOWN", "upstream has no such tag", detail=wanted.reference)
    return Outcome(kept.copy, f"gone; since={seconds(since)}")


def _mark(wanted: Wanted, row: UpstreamTag | None, what: str, why: str, **values: datetime | str | None) -> None:
    """``what``: ``stale`` or ``gone``. Put on record by the first who finds it so; the others know as much."""
    with transaction.atomic():
        if row is not None:
            unmarked = UpstreamTag.objects.filter(pk=row.pk, **{f"{what}_since": None})
            if not unmarked.update(**values):
                return
        else:
            named = {"repository_name": wanted.repository, "name": wanted.reference, "digest": wanted.here}
            try:
                with transaction.atomic():
                    UpstreamTag.objects.create(project_id=wanted.upstream.project_id, **named, **values)
            except IntegrityError:
                return
        tag = f"{wanted.repository}:{wanted.reference}"
        project_id = wanted.upstream.project_id
        audit.record(
            storing.SYSTEM, what, "upstream-tag", tag, project_id=project_id, description=f"{tag} is {what}: {why}"
        )


def stale_note(since: datetime, failure: HarborError) -> str:
    """Why what is here is served without asking upstream."""
    return f"stale; since={seconds(since)}; reason={_quoted(failure.message)}"


def _quoted(text: str) -> str:
    """As a header can carry it."""
    plain = "".join(char if char.isascii() and char.isprintable() else "?" for char in text)
    return '"' + plain.replace("\\", "").replace('"', "'")[:200] + '"'
