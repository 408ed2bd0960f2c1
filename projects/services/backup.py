"""Backups while pushes go on.

A backup folder holds content once (``blobs/sha256/<aa>/<hex>``, which never changes, so the next backup adds what is
new) and a folder per backup: the database as of one moment, the list of the blobs it names, the keys, and last of all
``backup.json``, without which it is no backup.

Content is copied before the moment and after it: what was collected between is there from the first pass, what was
pushed between comes with the second. A backup whose database names a blob that neither brought is not made.
"""

import fcntl
import gzip
import hashlib
import hmac
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from harbor_core.lib import dump, storage, storage_files
from harbor_core.lib.batches import batched
from harbor_core.lib.dump import Dump, DumpError
from harbor_core.lib.storage_files import DigestError

FORMAT = 1
DESCRIPTION, DATABASE, LIST, SECRETS = "backup.json", "database", "blobs.gz", "secrets"
WORKERS = 4
NAMED = """
    SELECT b.digest, b.size FROM harbor_projects_blob b
    WHERE EXISTS (SELECT 1 FROM harbor_projects_artifactblob a WHERE a.blob_id = b.id)
       OR EXISTS (SELECT 1 FROM harbor_projects_trashedblob t WHERE t.blob_id = b.id)
    ORDER BY b.digest
"""
Blobs = Iterator[tuple[str, int | None]]  # digest, bytes
Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Backup:
    """One backup of a folder. ``secret_check`` tells whether a secret key is the one it was made under; ``blobs`` and
    ``bytes`` are of the content it needs, None when content was left out."""

    folder: Path
    made: str
    version: str
    dump: Dump
    list_sha256: str
    secret_check: str
    blobs: int | None
    bytes: int | None

    @property
    def name(self) -> str:
        return self.folder.name

    def needs(self) -> Blobs:
        """Raises DumpError for a list that is not what was written."""
        path = self.folder / LIST
        try:
            if dump.sha256_of(path) != self.list_sha256:
                raise DumpError(f"{LIST} is not what was written: its SHA-256 differs")
            with gzip.open(path, "rt", encoding="ascii") as file:
                for line in file:
                    digest, _, size = line.strip().partition(" ")
                    yield digest, int(size) if size else None
        except (OSError, ValueError) as exc:
            raise DumpError(f"{LIST} cannot be read: {exc}") from exc


def blob_file(root: Path, digest: str) -> Path:
    """Where a backup folder keeps a blob. Raises DumpError for what is no sha256 digest."""
    algorithm, _, value = digest.partition(":")
    if algorithm != "sha256" or len(value) != 64 or not value.isalnum():
        raise DumpError(f"{digest[:100]!r} is no digest")
    return root / "blobs" / "sha256" / value[:2] / value


def secret_check(key: str) -> str:
    """Tells keys apart without telling the key."""
    return hmac.new(key.encode(), b"harbor backup", hashlib.sha256).hexdigest()


# ---------------------------------------------------------------------- make
def create(root: Path, note: Note, *, content: bool = True, secrets: bool = True, keep: int = 0) -> Backup:
    """A new backup in the folder; of earlier ones the newest ``keep`` stay (0: all).

    ``content`` False leaves blobs to whoever keeps the object storage. Raises DumpError, OSError; what was begun is
    removed then, blobs that were copied stay for the next attempt.
    """
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(root):
        for left in root.glob(".2*Z"):  # of one that was killed
            shutil.rmtree(left)
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
        partial = root / f".{name}"
        (partial / DATABASE).mkdir(parents=True, mode=0o700)
        try:
            _fill(partial, root, note, content=content, secrets=secrets)
            _sync(partial)
            partial.rename(root / name)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        if keep:
            _prune(root, keep, note)
        return read(root / name)


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    with (root / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DumpError(f"another backup is at work in {root}") from None
        yield


def _fill(partial: Path, root: Path, note: Note, *, content: bool, secrets: bool) -> None:
    if content:
        copied, size = _copy(root, _named(), gone_is_fine=True)
        note(f"content: {copied} blobs, {size} bytes")
    with dump.snapshot():
        made = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        written = dump.write(partial / DATABASE)
        named = _list(partial, written)
    note(f"database: {sum(part.rows for part in written.parts.values()) or 'all'} rows as of {made}")
    document: dict[str, Any] = {"format": FORMAT, "made": made, "version": settings.VERSION, "dump": written.as_json()}
    document |= {"list_sha256": named.sha256, "secret_check": secret_check(settings.SECRET_KEY)}
    document |= {"blobs": named.blobs if content else None, "bytes": named.bytes if content else None}
    if content:
        with gzip.open(partial / LIST, "rt", encoding="ascii") as file:
            wanted = ((digest, int(size)) for digest, _, size in (line.strip().partition(" ") for line in file))
            copied, size = _copy(root, wanted, gone_is_fine=False)
        note(f"content pushed meanwhile: {copied} blobs, {size} bytes")
    if secrets:
        _keep_secrets(partial / SECRETS)
    (partial / DESCRIPTION).write_text(json.dumps(document, indent=1), encoding="utf-8")


def _named() -> Blobs:
    with connection.cursor() as cursor:
        cursor.execute(NAMED)
        yield from cursor.fetchall()


@dataclass(frozen=True, slots=True)
class _List:
    sha256: str
    blobs: int
    bytes: int


def _list(partial: Path, written: Dump) -> _List:
    """The blobs that the dumped database names; SQLite's is asked itself, it is the copy that counts."""
    blobs = size = 0
    if written.vendor == "sqlite":
        copy = sqlite3.connect(partial / DATABASE / dump.SQLITE_FILE)
        try:
            rows = copy.execute(NAMED).fetchall()
        finally:
            copy.close()
    else:
        rows = list(_named())
    with gzip.open(partial / LIST, "wt", encoding="ascii") as file:
        for digest, recorded in rows:
            length = storage.backend().size(storage.blob_path(digest)) if recorded is None else recorded
            file.write(f"{digest} {length or 0}\n")
            blobs, size = blobs + 1, size + (length or 0)
    return _List(dump.sha256_of(partial / LIST), blobs, size)


def _copy(root: Path, blobs: Blobs, *, gone_is_fine: bool) -> tuple[int, int]:
    """What the folder lacks. Returns how many blobs and bytes were copied."""

    def copy(blob: tuple[str, int | None]) -> int | None:
        digest, size = blob
        target = blob_file(root, digest)
        if target.exists() and size in (None, target.stat().st_size):
            return None
        try:
            return storage_files.fetch(digest, target)
        except FileNotFoundError:
            if gone_is_fine:  # collected since; if the moment's database names it, the second pass says so
                return None
            raise DumpError(f"{digest} is named by an artifact but missing in storage (manage.py verify)") from None
        except DigestError as exc:
            raise DumpError(f"storage is damaged: {exc} (manage.py verify --deep)") from exc

    copied = total = 0
    with ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="backup") as pool:
        for batch in batched(blobs):
            sizes = [size for size in pool.map(copy, batch) if size is not None]
            copied, total = copied + len(sizes), total + sum(sizes)
    return copied, total


def _keep_secrets(folder: Path) -> None:
    """In the shape of the folder that ``init_secrets`` fills, readable by the owner alone."""
    files = {
        "secret_key": settings.SECRET_KEY.encode() + b"\n",
        "registry_http_secret": settings.REGISTRY_HTTP_SECRET.encode() + b"\n",
    }
    files |= {f"keys/token/{path.name}": path.read_bytes() for path in settings.TOKEN_KEY_DIR.glob("*.pem")}
    internal = settings.KEY_DIR / "internal"
    files |= {f"keys/internal/{path.name}": path.read_bytes() for path in internal.glob("registry.*")}
    for name, data in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)


def _sync(folder: Path) -> None:
    """To disk, before the name says that it is a backup."""
    for path in [*folder.rglob("*"), folder]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


# ---------------------------------------------------------------------- look at
def read(folder: Path) -> Backup:
    """Raises DumpError for a folder that is no backup of a kind this release knows."""
    try:
        document = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            raise DumpError(f"{folder} has format {document['format']}, this release reads {FORMAT}")
        return Backup(
            folder,
            document["made"],
            document["version"],
            Dump.from_json(document["dump"]),
            document["list_sha256"],
            document["secret_check"],
            document["blobs"],
            document["bytes"],
        )
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise DumpError(f"{folder} is no backup: {exc}") from exc


def backups(root: Path) -> list[Backup]:
    """Those of a folder, the oldest first."""
    found = sorted(path.parent for path in root.glob(f"*/{DESCRIPTION}") if not path.parent.name.startswith("."))
    return [read(path) for path in found]


def choose(path: Path) -> Backup:
    """The backup at the path, or the newest of the folder there. Raises DumpError."""
    if (path / DESCRIPTION).exists():
        return read(path)
    found = backups(path)
    if not found:
        raise DumpError(f"there is no backup in {path}")
    return found[-1]


def _prune(root: Path, keep: int, note: Note) -> None:
    """Older backups, and blobs that no backup needs any more."""
    every = backups(root)
    for old in every[:-keep]:
        shutil.rmtree(old.folder)
        note(f"removed backup {old.name}")
    needed = {digest for kept in every[-keep:] for digest, _ in kept.needs()}
    removed = 0
    for path in (root / "blobs" / "sha256").glob("*/*"):
        if f"sha256:{path.name}" not in needed:
            path.unlink()
            removed += 1
    if removed:
        note(f"removed {removed} blobs that no backup needs")
