"""The way back from a backup (projects.services.backup): verified without touching anything, or restored."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.cache import cache
from django.db.models import Exists, OuterRef
from redis.exceptions import RedisError

from harbor_core.lib import dump, storage, storage_files
from harbor_core.lib.dump import DumpError
from harbor_core.lib.storage_files import DigestError
from harbor_core.services import config
from projects import access
from projects.models import Artifact, ArtifactBlob, Blob, Project, RepositoryBlob, TrashedBlob, Upload
from projects.services import backup
from projects.services.backup import Backup, Note
from projects.services.seed import LIBRARY_ID


@dataclass(frozen=True, slots=True)
class Verified:
    """What was looked at and is good; ``bytes`` of content that was read."""

    rows: int
    blobs: int
    bytes: int


def verify(found: Backup) -> Verified:
    """Every file against its digest, every row loaded into temporary tables of this database. Changes nothing that
    others see. Raises DumpError with what is wrong first."""
    dump.check_files(found.dump, found.folder / backup.DATABASE)
    _check_key(found)
    dump.check_fits(found.dump)
    rows = dump.try_out(found.dump, found.folder / backup.DATABASE)
    blobs = size = 0
    for digest, path, expected in _content(found):
        if not storage_files.is_digest(path, digest):
            raise DumpError(f"{path} is damaged")
        blobs, size = blobs + 1, size + expected
    return Verified(rows, blobs, size)


def _content(found: Backup) -> Iterator[tuple[str, Path, int]]:
    """digest, file and size of every blob; all are there. Raises DumpError."""
    if found.blobs is None:
        return
    for digest, size in found.needs():
        path = backup.blob_file(found.folder.parent, digest)
        try:
            length = path.stat().st_size
        except OSError as exc:
            raise DumpError(f"{path} is missing: {exc}") from exc
        if length != size:
            raise DumpError(f"{path} has {length} bytes, not {size}")
        yield digest, path, length


def _check_key(found: Backup) -> None:
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    if found.secret_check not in map(backup.secret_check, keys):
        raise DumpError(
            "the backup was made under another HARBOR_SECRET_KEY, stored credentials could not be read: "
            f"give the one in {found.folder.name}/{backup.SECRETS}"
        )


def is_in_use() -> bool:
    """Is there anything a restore would destroy?"""
    return Artifact.objects.exists() or Project.objects.exclude(pk=LIBRARY_ID).exists()


def restore(found: Backup, note: Note, *, replace: bool = False) -> None:
    """Content first, then the database (on PostgreSQL in one transaction) and the links of what it names. Core, workers
    and beat must not run. ``replace``: although there is something here. Raises DumpError, OSError."""
    dump.check_files(found.dump, found.folder / backup.DATABASE)
    _check_key(found)
    dump.check_fits(found.dump)
    if is_in_use() and not replace:
        raise DumpError("this registry is in use: what it has would be lost (--replace)")
    note(f"content: {_restore_content(found)} blobs were missing")
    with dump.loaded(found.dump, found.folder / backup.DATABASE):
        _drop_what_has_no_content()
        note(f"links: {_restore_links()}")
    # What processes and Redis remember is of another time.
    try:
        cache.clear()
    except RedisError as exc:  # a private one is stopped with everything else, and starts empty
        note(f"Redis does not answer; if it goes on with what it has, flush it before the start: {exc}")
    config.forget()
    access.forget()


def _restore_content(found: Backup) -> int:
    restored = 0
    for digest, path, size in _content(found):
        if storage.backend().size(storage.blob_path(digest)) == size:
            continue
        try:
            storage_files.store(digest, path)
        except DigestError as exc:
            raise DumpError(f"{path} is damaged: {exc}") from exc
        restored += 1
    return restored


def _drop_what_has_no_content() -> None:
    """Uploads that were under way, and blobs that nothing named yet: their bytes are not in a backup, and a client that
    is told so sends them again."""
    Upload.objects.all().delete()
    of_artifact = ArtifactBlob.objects.filter(
        blob=OuterRef("blob"), artifact__repository__name=OuterRef("repository_name")
    )
    of_trash = TrashedBlob.objects.filter(blob=OuterRef("blob"), trashed__repository_name=OuterRef("repository_name"))
    RepositoryBlob.objects.exclude(Exists(of_artifact) | Exists(of_trash)).delete()
    named = Exists(ArtifactBlob.objects.filter(blob=OuterRef("pk"))) | Exists(
        TrashedBlob.objects.filter(blob=OuterRef("pk"))
    )
    Blob.objects.exclude(named).delete()


def _restore_links() -> int:
    """Those of everything an artifact or the trash names. Returns how many were missing."""
    store = storage.backend()
    written = 0
    artifacts = ArtifactBlob.objects.values_list("artifact__repository__name", "blob__digest", "artifact__digest")
    trash = TrashedBlob.objects.values_list("trashed__repository_name", "blob__digest", "trashed__digest")
    for rows in (artifacts, trash):
        for repository, digest, own in rows.iterator(chunk_size=2000):
            link = storage.revision_link if digest == own else storage.layer_link
            path = link(repository, digest)
            if store.size(path) is None:
                store.put(path, digest.encode())
                written += 1
    return written
