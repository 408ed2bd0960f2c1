"""Garbage collection, online: what nothing names any more goes, while pushes and pulls go on.

A blob is condemned in a short transaction that locks its row and looks for references after that, in a statement of its
own; whoever names a blob holds the row first, so one of the two sees the other. From then on it does not exist for
clients (HEAD 404, mounts become uploads, commits wait). Storage is cleaned outside of any transaction, links first, so
that no repository shows a blob that somebody else uploads later; the rows go last. A crash leaves condemned rows, with
which the next run goes on; what storage refuses is let live again and tried later.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from harbor_core.lib import sql, storage
from projects.models import Blob, CollectionDay, RepositoryBlob
from projects.services import trees

BATCH = 500
STALE_SECONDS = 600  # a condemned blob whose collector shows no sign of life for so long is taken over
PARKED_MAX_HOURS = 24

# A committed upload is a reference until a manifest names what it brought, or it is swept.
_UNNAMED = """
    NOT EXISTS (SELECT 1 FROM harbor_projects_artifactblob a WHERE a.blob_id = b.id)
    AND NOT EXISTS (SELECT 1 FROM harbor_projects_trashedblob t WHERE t.blob_id = b.id)
    AND NOT EXISTS (SELECT 1 FROM harbor_projects_upload u WHERE u.digest = b.digest)
"""
_DUE = "b.touched_at < %s AND (b.parked_until IS NULL OR b.parked_until < %s)"
_CANDIDATES = f"""
    SELECT b.id FROM harbor_projects_blob b
    WHERE b.id > %s AND b.state = 'live' AND {_DUE} AND {_UNNAMED} ORDER BY b.id LIMIT %s
"""
_CONDEMN = f"""
    UPDATE harbor_projects_blob AS b SET state = 'deleting', touched_at = %s
    WHERE b.id IN ({{marks}}) AND b.state = 'live' AND {_DUE} AND {_UNNAMED} RETURNING id, digest, size
"""
_ABANDONED = """
    SELECT b.id FROM harbor_projects_blob b WHERE b.id > %s AND b.state = 'deleting' AND b.touched_at < %s
    ORDER BY b.id LIMIT %s
"""
_TAKE_OVER = """
    UPDATE harbor_projects_blob AS b SET touched_at = %s
    WHERE b.id IN ({marks}) AND b.state = 'deleting' AND b.touched_at < %s RETURNING id, digest, size
"""
_REFUSED = """
    UPDATE harbor_projects_blob SET state = 'live', delete_failures = delete_failures + 1, delete_error = %s,
        parked_until = %s
    WHERE id = %s
"""
_UNUSED_LINK = """
    NOT EXISTS (
        SELECT 1 FROM harbor_projects_artifactblob a JOIN harbor_projects_artifact x ON x.id = a.artifact_id
        JOIN harbor_projects_repository r ON r.id = x.repository_id
        WHERE a.blob_id = l.blob_id AND r.name = l.repository_name)
    AND NOT EXISTS (
        SELECT 1 FROM harbor_projects_trashedblob t JOIN harbor_projects_trashedartifact x ON x.id = t.trashed_id
        WHERE t.blob_id = l.blob_id AND x.repository_name = l.repository_name)
    AND NOT EXISTS (
        SELECT 1 FROM harbor_projects_upload u JOIN harbor_projects_blob b ON b.digest = u.digest
        WHERE b.id = l.blob_id AND u.repository_name = l.repository_name)
"""
_LINKS = f"""
    SELECT l.id FROM harbor_projects_repositoryblob l
    WHERE l.id > %s AND l.touched_at < %s AND {_UNUSED_LINK} ORDER BY l.id LIMIT %s
"""
_UNLINK = f"""
    DELETE FROM harbor_projects_repositoryblob AS l WHERE l.id IN ({{marks}}) AND l.touched_at < %s AND {_UNUSED_LINK}
    RETURNING repository_name, blob_id, is_manifest
"""


@dataclass(slots=True)
class Totals:
    """What a run removed: bytes, blobs (of them manifests), links of blobs that live on elsewhere; and what it could
    not."""

    freed: int = 0
    blobs: int = 0
    manifests: int = 0
    links: int = 0
    failed: int = 0
    errors: list[str] = field(default_factory=list)

    def add(self, other: "Totals") -> None:
        self.freed += other.freed
        self.blobs += other.blobs
        self.manifests += other.manifests
        self.links += other.links
        self.failed += other.failed
        self.errors = (self.errors + other.errors)[:20]


def collect(before: datetime, *, workers: int = 1, check: Callable[[], None] = lambda: None) -> Iterator[Totals]:
    """Remove what nothing names and no client was told of since ``before``: batch by batch, a total after each.

    ``check`` is called between batches and may raise to end the run.
    """
    yield from _batches(_abandoned_ids, _take_over, before, workers, check)
    yield from _batches(_candidate_ids, _condemn, before, workers, check)
    yield from _unlink_all(before, workers, check)


Condemned = list[tuple[int, str, int | None]]


def _batches(
    find: Callable[[int, datetime], list[int]],
    claim: Callable[[list[int], datetime], Condemned],
    before: datetime,
    workers: int,
    check: Callable[[], None],
) -> Iterator[Totals]:
    last = 0
    while ids := find(last, before):
        check()
        last = ids[-1]
        yield remove(claim(ids, before), workers)


def _candidate_ids(last: int, before: datetime) -> list[int]:
    rows = sql.fetch_all(_CANDIDATES, [last, sql.time(before), sql.time(timezone.now()), BATCH])
    return [row for (row,) in rows]


def _condemn(ids: list[int], before: datetime) -> Condemned:
    now = sql.time(timezone.now())
    with transaction.atomic():
        free = _lock(ids)
        if not free:
            return []
        return sql.fetch_all(_CONDEMN.format(marks=sql.marks(free)), [now, *free, sql.time(before), now])


def _lock(ids: list[int]) -> list[int]:
    """Those nobody else holds: a push that is naming one, another collector."""
    if connection.vendor != "postgresql":
        return ids
    statement = "SELECT id FROM harbor_projects_blob WHERE id IN ({marks}) ORDER BY id FOR UPDATE SKIP LOCKED"
    return [row for (row,) in sql.fetch_all(statement.format(marks=sql.marks(ids)), ids)]


def _stale() -> datetime:
    return timezone.now() - timedelta(seconds=STALE_SECONDS)


def _abandoned_ids(last: int, before: datetime) -> list[int]:
    return [row for (row,) in sql.fetch_all(_ABANDONED, [last, sql.time(_stale()), BATCH])]


def _take_over(ids: list[int], before: datetime) -> Condemned:
    with transaction.atomic():
        free = _lock(ids)
        if not free:
            return []
        values = [sql.time(timezone.now()), *free, sql.time(_stale())]
        return sql.fetch_all(_TAKE_OVER.format(marks=sql.marks(free)), values)


def remove(condemned: Condemned, workers: int) -> Totals:
    """Links, data, rows of condemned blobs, in this order; then the folders that are empty."""
    if not condemned:
        return Totals()
    digests = {row: digest for row, digest, _ in condemned}
    links = list(
        RepositoryBlob.objects.filter(blob_id__in=digests).values_list("blob_id", "repository_name", "is_manifest")
    )
    manifests = {row for row, _, is_manifest in links if is_manifest}
    sizes = {row: size if size is not None else storage.backend().size(storage.blob_path(digest)) or 0
             for row, digest, size in condemned}  # fmt: skip
    store = storage.backend()
    owners: dict[str, int] = {}
    for row, repository, is_manifest in links:
        for path in _link_paths(repository, digests[row], is_manifest):
            owners[path] = row
    failed = {owners[path]: error for path, error in store.delete_many(sorted(owners), workers).items()}
    data = {storage.blob_path(digest): row for row, digest in digests.items() if row not in failed}
    failed |= {data[path]: error for path, error in store.delete_many(sorted(data), workers).items()}
    _park(failed)
    gone = sorted(digests.keys() - failed.keys())
    _delete_rows(gone)
    trees.prune(repository for row, repository, _ in links if row not in failed)
    return Totals(
        sum(sizes[row] for row in gone),
        len(gone),
        len(manifests.intersection(gone)),
        0,
        len(failed),
        [f"{digests[row]}: {error}" for row, error in sorted(failed.items())[:5]],
    )


def _link_paths(repository: str, digest: str, is_manifest: bool) -> Iterator[str]:
    yield storage.layer_link(repository, digest)
    if is_manifest:
        yield storage.revision_link(repository, digest)


def _park(failed: dict[int, str]) -> None:
    """Let them live again: a client that uploads one repairs what may be missing of it."""
    for row, error in failed.items():
        failures = Blob.objects.filter(pk=row).values_list("delete_failures", flat=True).first() or 0
        pause = timedelta(hours=min(2**failures, PARKED_MAX_HOURS))
        sql.execute(_REFUSED, [error[:512], sql.time(timezone.now() + pause), row])


def _delete_rows(ids: list[int]) -> None:
    if not ids:
        return
    with transaction.atomic():
        marks = sql.marks(ids)
        sql.execute(f"DELETE FROM harbor_projects_repositoryblob WHERE blob_id IN ({marks})", ids)
        sql.execute(f"DELETE FROM harbor_projects_blob WHERE id IN ({marks}) AND state = 'deleting'", ids)


def _unlink_all(before: datetime, workers: int, check: Callable[[], None]) -> Iterator[Totals]:
    """Links of blobs that live on, from repositories that do not name them any more."""
    last = 0
    while rows := sql.fetch_all(_LINKS, [last, sql.time(before), BATCH]):
        check()
        ids = [row for (row,) in rows]
        last = ids[-1]
        totals, repositories = unlink(ids, before, workers)
        trees.prune(repositories)
        yield totals


def unlink(ids: list[int], before: datetime, workers: int) -> tuple[Totals, set[str]]:
    """Take back these links as far as nothing names them. Also returns the repositories they were in.

    The files go inside the transaction that takes the rows: after a crash in between a row is left without its file,
    which the next run or the next upload mends; never a file without its row.
    """
    with transaction.atomic():
        if connection.vendor == "postgresql":
            statement = "SELECT id FROM harbor_projects_repositoryblob WHERE id IN ({marks}) FOR UPDATE SKIP LOCKED"
            ids = [row for (row,) in sql.fetch_all(statement.format(marks=sql.marks(ids)), ids)]
        if not ids:
            return Totals(), set()
        taken = sql.fetch_all(_UNLINK.format(marks=sql.marks(ids)), [*ids, sql.time(before)])
        digests = dict(Blob.objects.filter(pk__in=[row for _, row, _ in taken]).values_list("pk", "digest"))
        paths = [path for name, row, kind in taken for path in _link_paths(name, digests[row], kind)]
        failed = storage.backend().delete_many(sorted(paths), workers)
        if failed:
            transaction.set_rollback(True)
            errors = [f"{path}: {error}" for path, error in sorted(failed.items())[:5]]
            return Totals(failed=len(failed), errors=errors), set()
        return Totals(links=len(taken)), {name for name, _, _ in taken}


def note_day(totals: Totals, seconds: float) -> None:
    """Add what was removed in so many seconds to this day's figures."""
    if not (totals.blobs or totals.failed):
        return
    day, _ = CollectionDay.objects.get_or_create(day=timezone.now().date())
    CollectionDay.objects.filter(pk=day.pk).update(
        blobs=F("blobs") + totals.blobs,
        freed=F("freed") + totals.freed,
        refused=F("refused") + totals.failed,
        seconds=F("seconds") + seconds,
    )


def retry_parked() -> int:
    """Try everything that storage refused again with the next run. Returns how many blobs."""
    return Blob.objects.exclude(delete_error="").update(parked_until=None)
