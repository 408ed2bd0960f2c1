"""What an upgrade to this release would do to the database: asked with the new code, before it serves."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connection
from django.db.migrations import operations
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.migration import Migration
from django.db.migrations.operations.base import Operation
from django.db.models import Field
from django.db.models.fields import NOT_PROVIDED

from jobservice.models import Task
from jobservice.states import Status

POSTGRESQL_MIN = 130000
OK, NOTE, STOP = "ok", "note", "stop"
# What code of the release before cannot do without.
_TAKES_AWAY = (
    operations.DeleteModel,
    operations.RemoveField,
    operations.RenameField,
    operations.RenameModel,
    operations.AlterModelTable,
)


@dataclass(frozen=True, slots=True)
class Finding:
    """``level``: ok, note (good to know), stop (do not upgrade like this)."""

    level: str
    message: str


def check() -> Iterator[Finding]:
    """Raises DatabaseError when the database does not answer."""
    executor = MigrationExecutor(connection)
    loader = executor.loader
    yield from _server()
    if not loader.applied_migrations:
        yield Finding(NOTE, "the database is empty: this is an installation, not an upgrade")
        return
    unknown = sorted(set(loader.applied_migrations) - set(loader.disk_migrations))
    if unknown:
        told = f"it has {'.'.join(unknown[0])} and {len(unknown) - 1} more that this release does not know"
        yield Finding(STOP, f"the database is of a newer release: {told}")
    plan = [migration for migration, _ in executor.migration_plan(loader.graph.leaf_nodes())]
    if not plan:
        yield Finding(OK, "the schema is of this release already")
    for migration in plan:
        yield from _migration(migration)
    running = Task.objects.filter(status=Status.RUNNING).count() if not unknown else 0
    if running:
        yield Finding(NOTE, f"{running} jobs are at work: they are taken up again by the new workers")


def _server() -> Iterator[Finding]:
    if connection.vendor != "postgresql":
        yield Finding(OK, "SQLite: stop the registry before the upgrade")
        return
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        number = int(cursor.fetchone()[0])
    if number < POSTGRESQL_MIN:
        yield Finding(STOP, f"PostgreSQL {number // 10000} is too old, this release needs {POSTGRESQL_MIN // 10000}")
    else:
        yield Finding(OK, f"PostgreSQL {number // 10000}")


def _migration(migration: Migration) -> Iterator[Finding]:
    name = f"{migration.app_label}.{migration.name}"
    reasons = [reason for operation in migration.operations if (reason := unsafe(operation))]
    if reasons:
        yield Finding(STOP, f"{name}: {'; '.join(reasons)}. Stop the old release first: it does not run on this schema")
        return
    way_back = all(operation.reversible for operation in migration.operations)
    told = "" if way_back else "; there is no way back but a backup"
    yield Finding(OK if way_back else NOTE, f"{name} is applied while the old release runs{told}{_sizes(migration)}")


def unsafe(operation: Operation) -> str:
    """Why code of the release before would fail after this; empty when it would not."""
    if isinstance(operation, _TAKES_AWAY):
        return operation.describe()
    if isinstance(operation, operations.AddField) and not _optional(operation.field):
        return f"{operation.describe()}: old code writes rows without it"
    if isinstance(operation, operations.SeparateDatabaseAndState):
        return next(filter(None, map(unsafe, operation.database_operations)), "")
    return ""


def _optional(field: Field) -> bool:
    """May a row be written by code that does not know the column?"""
    return bool(field.null or field.many_to_many or getattr(field, "db_default", NOT_PROVIDED) is not NOT_PROVIDED)


def _sizes(migration: Migration) -> str:
    """How many rows the tables have that it changes, where that is known without counting."""
    if connection.vendor != "postgresql":
        return ""
    models = {getattr(operation, "model_name", "") for operation in migration.operations} - {""}
    tables = [f"{migration.app_label}_{model}" for model in sorted(models)]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, reltuples FROM pg_class WHERE relname = ANY(%s) AND reltuples > 100000", [tables]
        )
        large = [f"{name} has about {rows:.0f} rows" for name, rows in cursor.fetchall()]
    return f" ({', '.join(large)})" if large else ""
