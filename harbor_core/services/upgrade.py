"""What an upgrade to this release would do to the database: asked with the new code, before it serves."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db import connection
from django.db.migrations import operations
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.migration import Migration
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
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


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why code of the release before fails after a migration; ``until`` is the one of the same upgrade that mends it,
    empty where none does."""

    migration: str
    reason: str
    until: str = ""


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
    found = obstacles(plan, loader.project_state(list(loader.applied_migrations.keys() & loader.graph.nodes.keys())))
    for migration in plan:
        yield from _migration(migration, [each for each in found if each.migration == _name(migration)])
    has_jobs = not unknown and Task._meta.db_table in connection.introspection.table_names()
    running = Task.objects.filter(status=Status.RUNNING).count() if has_jobs else 0
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


def _name(migration: Migration) -> str:
    return f"{migration.app_label}.{migration.name}"


def _migration(migration: Migration, found: Sequence[Obstacle]) -> Iterator[Finding]:
    name = _name(migration)
    lasting = [each.reason for each in found if not each.until]
    if lasting:
        yield Finding(STOP, f"{name}: {'; '.join(lasting)}. Stop the old release first: it does not run on this schema")
        return
    for each in found:
        yield Finding(NOTE, f"{name}: {each.reason}. It fails in that until {each.until} is applied, in the same run")
    way_back = all(operation.reversible for operation in migration.operations)
    told = "" if way_back else "; there is no way back but a backup"
    yield Finding(OK if way_back else NOTE, f"{name} is applied while the old release runs{told}{_sizes(migration)}")


def obstacles(plan: Sequence[Migration], before: ProjectState) -> list[Obstacle]:
    """What of an upgrade the release before does not survive. ``plan``: its migrations in order; ``before``: the models
    as they are until then (left as it is).

    A table that comes with the plan is none of the release before. A column that it does not write is an obstacle only
    until a later migration of the plan gives it a default.
    """
    state = before.clone()
    mended = {
        (migration.app_label, operation.model_name_lower, operation.name_lower): _name(migration)
        for migration in plan
        for operation in migration.operations
        if isinstance(operation, operations.AlterField) and _optional(operation.field)
    }
    found = []
    for migration in plan:
        for operation in migration.operations:
            model = getattr(operation, "model_name_lower", getattr(operation, "name_lower", ""))
            known = (migration.app_label, model) in before.models
            reason = unsafe(operation) or _tightened(operation, migration.app_label, state)
            if reason and (known or not model):
                until = ""
                if isinstance(operation, operations.AddField):
                    until = mended.get((migration.app_label, operation.model_name_lower, operation.name_lower), "")
                found.append(Obstacle(_name(migration), reason, until))
            operation.state_forwards(migration.app_label, state)
    return found


def unsafe(operation: Operation) -> str:
    """Why code of the release before would fail after this; empty when it would not."""
    if isinstance(operation, _TAKES_AWAY):
        return operation.describe()
    if isinstance(operation, operations.AddField) and not _optional(operation.field):
        return f"{operation.describe()}: old code writes rows without it"
    if isinstance(operation, operations.SeparateDatabaseAndState):
        return next(filter(None, map(unsafe, operation.database_operations)), "")
    return ""


def _tightened(operation: Operation, app_label: str, state: ProjectState) -> str:
    """Why the values that old code writes would be refused by a field that was changed."""
    if not isinstance(operation, operations.AlterField):
        return ""
    old = state.models[app_label, operation.model_name_lower].fields[operation.name]
    new = operation.field
    if old.null and not new.null:
        return f"{operation.describe()}: old code writes rows in which it is null"
    longest, allowed = (getattr(field, "max_length", None) for field in (old, new))
    if allowed is not None and (longest is None or longest > allowed):
        return f"{operation.describe()}: old code writes longer values"
    had, has = (getattr(field, "db_default", NOT_PROVIDED) is not NOT_PROVIDED for field in (old, new))
    if had and not has and not new.null:
        return f"{operation.describe()}: it loses the default that old code rests on"
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
