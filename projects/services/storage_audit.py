"""Compare storage and database both ways, while pushes go on.

A push records what it is about to write before it writes it, and garbage collection forgets what it removed after it
is gone. So of what storage shows, whatever is not recorded a moment later belongs to nobody, unless it went and came
again meanwhile: what changed since the comparison's time limit is left for the next one.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef

from harbor_core.lib import storage
from harbor_core.lib.batches import ROWS, batched
from jobservice.models import StorageFinding
from projects.models import ArtifactBlob, Blob, RepositoryBlob, TrashedBlob, Upload
from projects.services import trees

Kind = StorageFinding.Kind
_DATA = re.compile(rf"{storage.ROOT}/blobs/(sha\d+)/[a-f0-9]{{2}}/([a-f0-9]+)/data")
_LINK = re.compile(rf"{storage.ROOT}/repositories/(.+)/(_layers|_manifests/revisions)/(sha\d+)/([a-f0-9]+)/link")
_UPLOAD = re.compile(
    rf"{storage.ROOT}/repositories/(.+)/_uploads/([a-f0-9]{{8}}(?:-[a-f0-9]{{4}}){{3}}-[a-f0-9]{{12}})/.+"
)
_TAG = re.compile(rf"{storage.ROOT}/repositories/(.+)/_manifests/tags/.+/link")  # for a bare registry, on demand
_LAST = "~"  # behind every digest


@dataclass(frozen=True, slots=True)
class Found:
    """See jobservice.models.StorageFinding, whose columns these are."""

    kind: str
    path: str = ""
    digest: str = ""
    repository_name: str = ""
    size: int | None = None
    recorded: int | None = None


def compare(before: datetime) -> Iterator[list[Found]]:
    """What differs and has not changed since ``before``: a list, mostly an empty one, after every ROWS objects or rows
    that were looked at. Raises OSError."""
    yield from compare_blobs(before)
    yield from compare_trees(before)
    for names in batched(storage.empty_trees()):
        idle = [name for name in trees.unused(names) if _is_old(storage.tree(name), before)]
        yield [Found(Kind.TREE, storage.tree(name), repository_name=name) for name in idle]


def compare_blobs(before: datetime) -> Iterator[list[Found]]:
    """Objects and rows side by side, both in the order of their digests: memory stays flat however many there are, and
    object storage is asked for nothing but lists."""
    low = ""
    for batch in batched(storage.backend().walk(f"{storage.ROOT}/blobs")):
        stored, strays = {}, []
        for path, size in batch:
            if match := _DATA.fullmatch(path):
                stored[f"{match[1]}:{match[2]}"] = size
            else:
                strays.append(Found(Kind.FILE, path, size=size))
        high = max(stored, default=low)
        known: set[str] = set()
        for rows in _rows(low, high):
            yield list(_rows_without(rows, stored))
            known |= {digest for _, digest, _ in rows}
        low = high
        unknown = [
            Found(Kind.BLOB, storage.blob_path(digest), digest, size=stored[digest])
            for digest in sorted(stored.keys() - known)
        ]
        yield [found for found in (*unknown, *strays) if _is_old(found.path, before)]
    for rows in _rows(low, _LAST):
        yield list(_rows_without(rows, {}))


Row = tuple[int, str, int | None]  # id, digest, size


def _rows(low: str, high: str) -> Iterator[list[Row]]:
    live = Blob.objects.filter(digest__lte=high).order_by("digest")
    while rows := list(live.filter(digest__gt=low).values_list("pk", "digest", "size")[:ROWS]):
        yield rows
        low = rows[-1][1]


def _rows_without(rows: list[Row], stored: dict[str, int]) -> Iterator[Found]:
    """Of these rows those whose bytes are not, or not as many, in storage."""
    store = storage.backend()
    for _, digest, recorded in rows:
        size = stored.get(digest)
        if size is not None and recorded is not None and size != recorded:
            yield Found(Kind.SIZE, storage.blob_path(digest), digest, size=size, recorded=recorded)
    lacking = {row: (digest, size) for row, digest, size in rows if digest not in stored}
    named = _named(lacking)
    missing = [row for row in sorted(named) if store.size(storage.blob_path(lacking[row][0])) is None]
    for row in sorted(_named(missing)):  # named before and after: nobody had reason to remove it in between
        digest, recorded = lacking[row]
        yield Found(Kind.MISSING, storage.blob_path(digest), digest, recorded=recorded)


def _named(rows: Iterable[int]) -> set[int]:
    """Those that an artifact or the trash names."""
    by_artifact = Exists(ArtifactBlob.objects.filter(blob=OuterRef("pk")))
    by_trash = Exists(TrashedBlob.objects.filter(blob=OuterRef("pk")))
    return set(Blob.objects.filter(by_artifact | by_trash, pk__in=list(rows)).values_list("pk", flat=True))


def _is_old(path: str, before: datetime) -> bool:
    """It is still there, and as it was."""
    modified = storage.backend().modified(path)
    return modified is not None and modified < before


def compare_trees(before: datetime) -> Iterator[list[Found]]:
    """What is in the trees of repositories and belongs to no link and no upload that is recorded."""
    seen = ""
    for batch in batched(storage.backend().walk(f"{storage.ROOT}/repositories")):
        links: list[Found] = []
        uploads: dict[str, Found] = {}
        others: list[Found] = []
        for path, size in batch:
            if match := _LINK.fullmatch(path):
                kind = Kind.LINK if match[2] == "_layers" else Kind.MANIFEST
                links.append(Found(kind, path, f"{match[3]}:{match[4]}", match[1], size))
            elif match := _UPLOAD.fullmatch(path):
                if match[2] != seen:  # files of one session follow each other
                    seen = match[2]
                    uploads[seen] = Found(Kind.UPLOAD, storage.upload_prefix(match[1], seen), repository_name=match[1])
            elif not _TAG.fullmatch(path):
                others.append(Found(Kind.FILE, path, size=size))
        yield [
            *(found for found in (*_unknown_links(links), *others) if _is_old(found.path, before)),
            *(found for found in _unknown_uploads(uploads) if _is_old(f"{found.path}/startedat", before)),
        ]


def _unknown_links(links: list[Found]) -> Iterator[Found]:
    rows = RepositoryBlob.objects.filter(
        repository_name__in={link.repository_name for link in links}, blob__digest__in={link.digest for link in links}
    )
    known = set(rows.values_list("repository_name", "blob__digest"))
    manifests = set(rows.filter(is_manifest=True).values_list("repository_name", "blob__digest"))
    for link in links:
        if (link.repository_name, link.digest) not in (manifests if link.kind == Kind.MANIFEST else known):
            yield link


def _unknown_uploads(uploads: dict[str, Found]) -> Iterator[Found]:
    known = {str(row) for row in Upload.objects.filter(pk__in=list(uploads)).values_list("pk", flat=True)}
    return (found for upload, found in uploads.items() if upload not in known)
