"""The whole database in files, as of one moment while it is in use, and put back.

PostgreSQL: a file per table in COPY's text format, so that any version reads what another wrote. SQLite: a copy of the
database file. A dump goes back into a database with the same migrations only, which the caller has compared.
"""

import gzip
import hashlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from django.db import OperationalError, connection, transaction
from django.db.migrations.recorder import MigrationRecorder

SQLITE_FILE = "database.sqlite3"
LOCK_WAIT_SECONDS = 30
_CHUNK = 1024 * 1024
_COLUMNS = """
    SELECT attname FROM pg_attribute
    WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum
"""
_SEQUENCES = "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = current_schema()"


class DumpError(Exception):
    """A dump cannot be written, read or put back; the message is meant for the operator."""


@dataclass(frozen=True, slots=True)
class Part:
    """A file of a dump: its name in the folder, SHA-256 in hex, and the columns of a table in their order."""

    file: str
    sha256: str
    columns: tuple[str, ...] = ()
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Dump:
    """``parts`` by table; SQLite has one part, under the empty name. ``sequences``: name -> last value."""

    vendor: str
    migrations: tuple[str, ...]
    parts: dict[str, Part]
    sequences: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        parts = {
            name: {"file": part.file, "sha256": part.sha256, "columns": list(part.columns), "rows": part.rows}
            for name, part in self.parts.items()
        }
        return {
            "vendor": self.vendor,
            "migrations": list(self.migrations),
            "parts": parts,
            "sequences": self.sequences,
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Dump":
        """Raises KeyError, TypeError for what :meth:`as_json` did not write."""
        parts = {
            name: Part(part["file"], part["sha256"], tuple(part["columns"]), int(part["rows"]))
            for name, part in document["parts"].items()
        }
        return cls(document["vendor"], tuple(document["migrations"]), parts, dict(document["sequences"]))


def migrations() -> tuple[str, ...]:
    """``app.name`` of what is applied, sorted."""
    return tuple(sorted(f"{app}.{name}" for app, name in MigrationRecorder(connection).applied_migrations()))


@contextmanager
def snapshot() -> Iterator[None]:
    """Inside, PostgreSQL shows one moment, whatever is written meanwhile. SQLite's copy is one moment by itself."""
    if connection.vendor == "sqlite":
        yield
        return
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


def write(folder: Path) -> Dump:
    """Every table into the folder; on PostgreSQL within :func:`snapshot`. Raises OSError."""
    if connection.vendor == "sqlite":
        return _write_sqlite(folder)
    parts = {}
    with connection.cursor() as cursor:
        for table in _tables():
            cursor.execute(_COLUMNS, [connection.ops.quote_name(table)])
            columns = tuple(row[0] for row in cursor.fetchall())
            parts[table] = _write_table(folder / f"{table}.copy.gz", table, columns)
        cursor.execute(_SEQUENCES)
        sequences = {name: value for name, value in cursor.fetchall() if value is not None}
    return Dump("postgresql", migrations(), parts, sequences)


def _tables() -> list[str]:
    with connection.cursor() as cursor:
        return sorted(connection.introspection.table_names(cursor))


def _copy_statement(table: str, columns: tuple[str, ...], direction: str) -> str:
    quoted = ", ".join(connection.ops.quote_name(column) for column in columns)
    return f"COPY {connection.ops.quote_name(table)} ({quoted}) {direction}"


def _write_table(path: Path, table: str, columns: tuple[str, ...]) -> Part:
    rows = 0
    # No name and no time in the header: the same rows give the same file.
    with (
        path.open("wb") as raw,
        gzip.GzipFile("", "wb", 5, raw, mtime=0) as file,
        connection.cursor() as cursor,
        cursor.copy(_copy_statement(table, columns, "TO STDOUT")) as copy,
    ):
        for data in copy:
            rows += bytes(data).count(b"\n")
            file.write(data)
    return Part(path.name, sha256_of(path), columns, rows)


def _write_sqlite(folder: Path) -> Dump:
    connection.ensure_connection()
    path = folder / SQLITE_FILE
    target = sqlite3.connect(path)
    try:
        connection.connection.backup(target, progress=_deadline())
    finally:
        target.close()
    return Dump("sqlite", migrations(), {"": Part(path.name, sha256_of(path))}, {})


def _deadline() -> Callable[[int, int, int], None]:
    """For SQLite's backup, which waits for locks without end."""
    end = time.monotonic() + LOCK_WAIT_SECONDS

    def progress(status: int, remaining: int, total: int) -> None:
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and time.monotonic() > end:
            raise DumpError("the database file is in use, stop core, workers and beat")

    return progress


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_files(dump: Dump, folder: Path) -> None:
    """Raises DumpError for a file that is missing or is not what was written."""
    for part in dump.parts.values():
        if Path(part.file).name != part.file:
            raise DumpError(f"{part.file!r} is no file of a dump")
        try:
            same = sha256_of(folder / part.file) == part.sha256
        except OSError as exc:
            raise DumpError(f"{part.file} cannot be read: {exc}") from exc
        if not same:
            raise DumpError(f"{part.file} is not what was written: its SHA-256 differs")


def check_fits(dump: Dump) -> None:
    """Raises DumpError unless this database takes the dump: the same kind, the same migrations, the same columns."""
    if dump.vendor != connection.vendor:
        raise DumpError(f"the dump is one of {dump.vendor}, this database is {connection.vendor}")
    here = migrations()
    if here != dump.migrations:
        missing, more = sorted(set(dump.migrations) - set(here)), sorted(set(here) - set(dump.migrations))
        told = f"{'lacks ' + missing[0] if missing else 'has ' + more[0]} ({len(missing) + len(more)} differ)"
        raise DumpError(f"the database {told}: restore with the release that made the backup, then upgrade")
    if dump.vendor == "postgresql":
        _check_columns(dump)


def _check_columns(dump: Dump) -> None:
    tables = set(_tables())
    if unknown := sorted(set(dump.parts) - tables):
        raise DumpError(f"the database has no table {unknown[0]}")
    with connection.cursor() as cursor:
        for table, part in dump.parts.items():
            cursor.execute(_COLUMNS, [connection.ops.quote_name(table)])
            if set(part.columns) != {row[0] for row in cursor.fetchall()}:
                raise DumpError(f"table {table} has other columns here")


def try_out(dump: Dump, folder: Path) -> int:
    """Load every table into a temporary one that nobody else sees, and forget it: proof that the dump can be read and
    fits the types here. Returns how many rows. Raises DumpError."""
    if dump.vendor == "sqlite":
        return _try_sqlite(folder / dump.parts[""].file)
    total = 0
    with connection.cursor() as cursor:
        for table, part in dump.parts.items():
            with transaction.atomic():
                trial = connection.ops.quote_name(f"trial_{table}"[:63])
                cursor.execute(
                    f"CREATE TEMPORARY TABLE {trial} (LIKE {connection.ops.quote_name(table)} INCLUDING CONSTRAINTS)"
                    " ON COMMIT DROP"
                )
                rows = _load(cursor, f"trial_{table}"[:63], part, folder)
            if rows != part.rows:
                raise DumpError(f"table {table} has {rows} rows in the dump, {part.rows} were written")
            total += rows
    return total


def _try_sqlite(path: Path) -> int:
    try:
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            (answer,) = database.execute("PRAGMA integrity_check(1)").fetchone()
            if answer != "ok":
                raise DumpError(f"{path.name}: {answer}")
            tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return sum(database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in tables)
        finally:
            database.close()
    except sqlite3.Error as exc:
        raise DumpError(f"{path.name} cannot be read: {exc}") from exc


def _load(cursor: Any, table: str, part: Part, folder: Path) -> int:
    from psycopg import Error  # not there on SQLite alone

    rows = 0
    try:
        with (
            gzip.open(folder / part.file, "rb") as file,
            cursor.copy(_copy_statement(table, part.columns, "FROM STDIN")) as copy,
        ):
            for data in _chunks(file):
                rows += data.count(b"\n")
                copy.write(data)
    except (OSError, EOFError, Error) as exc:
        raise DumpError(f"{part.file} cannot be loaded: {exc}") from exc
    return rows


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def _chunks(file: _Readable) -> Iterator[bytes]:
    while data := file.read(_CHUNK):
        yield data


@contextmanager
def loaded(dump: Dump, folder: Path) -> Iterator[None]:
    """Everything in the database is replaced. On PostgreSQL the block is part of that transaction: what it raises
    undoes all of it. SQLite replaces its file in one step before the block, which has a transaction of its own.

    Raises DumpError, also when others keep the tables in use."""
    if dump.vendor == "sqlite":
        _load_sqlite(folder / dump.parts[""].file)
    with transaction.atomic():
        if dump.vendor != "sqlite":
            _load_tables(dump, folder)
        yield


def _load_tables(dump: Dump, folder: Path) -> None:
    names = ", ".join(connection.ops.quote_name(table) for table in dump.parts)
    with connection.cursor() as cursor:
        try:
            cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_WAIT_SECONDS}s'")
            cursor.execute(f"TRUNCATE {names}")
        except OperationalError as exc:
            raise DumpError(f"the tables are in use, stop core, workers and beat: {exc}") from exc
        for table, part in dump.parts.items():
            _load(cursor, table, part, folder)
        for sequence, value in dump.sequences.items():
            cursor.execute("SELECT setval(%s::regclass, %s)", [connection.ops.quote_name(sequence), value])


def _load_sqlite(path: Path) -> None:
    connection.ensure_connection()
    source = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        source.backup(connection.connection, progress=_deadline())
    except sqlite3.Error as exc:
        raise DumpError(f"the database file cannot be replaced, stop core, workers and beat: {exc}") from exc
    finally:
        source.close()
