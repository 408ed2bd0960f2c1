"""What an upgrade would do is told before it is done."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, migrations, models
from django.db.backends.utils import CursorWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.migrations.state import ProjectState

from harbor_core.services import upgrade

pytestmark = pytest.mark.django_db


def run() -> str:
    out = StringIO()
    call_command("check_upgrade", stdout=out)
    return out.getvalue()


def test_nothing_to_do() -> None:
    assert "the schema is of this release already" in run()


def test_what_waits_is_told() -> None:
    """As a database of the release before: its last migration is not on record."""
    applied = MigrationRecorder(connection).applied_migrations()
    last = max(name for app, name in applied if app == "harbor_projects")
    MigrationRecorder(connection).record_unapplied("harbor_projects", last)
    assert f"harbor_projects.{last}" in run()


def test_a_newer_database_is_refused() -> None:
    MigrationRecorder(connection).record_applied("harbor_core", "9999_later")
    with pytest.raises(CommandError, match="1 reasons"):
        run()


@pytest.mark.parametrize(
    ("operation", "safe"),
    [
        (migrations.CreateModel("Thing", [("id", models.BigAutoField(primary_key=True))]), True),
        (migrations.AddField("thing", "note", models.TextField(null=True)), True),
        (migrations.AddField("thing", "note", models.TextField(db_default="")), True),
        (migrations.AddField("thing", "note", models.TextField(default="")), False),
        (migrations.AddIndex("thing", models.Index(fields=["id"], name="i")), True),
        (migrations.RemoveField("thing", "note"), False),
        (migrations.RenameField("thing", "note", "text"), False),
        (migrations.DeleteModel("Thing"), False),
        (migrations.SeparateDatabaseAndState(state_operations=[migrations.DeleteModel("Thing")]), True),
        (migrations.SeparateDatabaseAndState(database_operations=[migrations.DeleteModel("Thing")]), False),
    ],
)
def test_what_old_code_does_not_survive(operation: migrations.operations.base.Operation, safe: bool) -> None:
    assert (upgrade.unsafe(operation) == "") is safe


def plan(*operations: migrations.operations.base.Operation) -> list[migrations.Migration]:
    """Migrations with one operation each: made.0001, made.0002 …"""
    made = []
    for number, operation in enumerate(operations, 1):
        migration = migrations.Migration(f"{number:04}", "made")
        migration.operations = [operation]
        made.append(migration)
    return made


def with_thing() -> ProjectState:
    """The models of before: one."""
    state = ProjectState()
    THING.state_forwards("made", state)
    return state


THING = migrations.CreateModel(
    "Thing", [("id", models.BigAutoField(primary_key=True)), ("note", models.CharField(max_length=9, null=True))]
)


@pytest.mark.parametrize(
    ("operation", "told"),
    [
        (migrations.AlterField("thing", "note", models.CharField(max_length=10, null=True)), ""),
        (migrations.AlterField("thing", "note", models.CharField(max_length=8, null=True)), "longer"),
        (migrations.AlterField("thing", "note", models.CharField(max_length=9, db_default="")), "null"),
    ],
)
def test_fields_that_become_narrower(operation: migrations.operations.base.Operation, told: str) -> None:
    found = upgrade.obstacles(plan(operation), with_thing())
    assert bool(found) is bool(told) and all(told in each.reason and not each.until for each in found)


def test_what_a_later_migration_of_the_same_upgrade_mends() -> None:
    added = migrations.AddField("thing", "size", models.IntegerField(default=0))
    mended = migrations.AlterField("thing", "size", models.IntegerField(default=0, db_default=0))
    (found,) = upgrade.obstacles(plan(added, mended), with_thing())
    assert (found.migration, found.until) == ("made.0001", "made.0002")
    (found,) = upgrade.obstacles(plan(added), with_thing())
    assert not found.until
    assert upgrade.obstacles(plan(THING, added), ProjectState()) == []
    undone = migrations.AlterField("thing", "size", models.IntegerField(default=0))
    lost = upgrade.obstacles(plan(added, mended, undone), with_thing())[-1]
    assert lost.migration == "made.0003" and "loses the default" in lost.reason


def test_a_database_of_before_the_defaults() -> None:
    """The columns that 0007 adds have no default until 0016, which comes with the same run: good to know, no reason to
    stop."""
    recorder = MigrationRecorder(connection)
    for app, name in recorder.applied_migrations():
        if app == "harbor_projects" and name >= "0007":
            recorder.record_unapplied(app, name)
    told = run()
    assert "note  harbor_projects.0007_collection: Add field delete_error" in told and "\nstop" not in told


def test_every_migration_of_ours_lets_the_release_before_go_on() -> None:
    """Rolling upgrades rest on it: what is added to a table is null or has a default in the database."""
    loader = MigrationLoader(connection)
    ordered = loader.graph._generate_plan(loader.graph.leaf_nodes(), at_end=True)  # type: ignore[attr-defined]  # as the executor asks
    first = [key for key in ordered if not key[0].startswith("harbor_") or loader.disk_migrations[key].initial]
    later = [loader.disk_migrations[key] for key in ordered if key not in first]
    found = upgrade.obstacles(later, loader.project_state(first))
    assert [each for each in found if not each.until] == []


def test_rows_as_every_older_release_writes_them() -> None:
    """For every model as it was after each migration: its columns of then are all that a row needs today."""
    loader = MigrationLoader(connection)
    needed: dict[str, set[str]] = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            needed[table] = columns_without_default(cursor, table)
    made = loader.disk_migrations
    halves = {parent for migration in made.values() if migration.initial for parent in migration.dependencies}
    for key in loader.graph.nodes:
        if not key[0].startswith("harbor_") or key in halves:
            continue
        state = loader.project_state(key)
        for (app, _), model in state.models.items():
            if app != key[0]:
                continue
            old = state.apps.get_model(app, model.name)
            columns = {field.column for field in old._meta.local_fields}
            missing = needed.get(old._meta.db_table, set()) - columns
            assert not missing, f"code of {key[1]} writes no {missing} into {old._meta.db_table}"


def columns_without_default(cursor: CursorWrapper, table: str) -> set[str]:
    """Those that are NOT NULL and that the database fills in by itself neither."""
    if connection.vendor == "postgresql":
        cursor.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND is_nullable = 'NO' "
            "AND column_default IS NULL AND is_identity = 'NO' AND table_schema = current_schema()",
            [table],
        )
        return {name for (name,) in cursor.fetchall()}
    cursor.execute(f"PRAGMA table_info({connection.ops.quote_name(table)})")
    return {
        name for _, name, _, required, default, key in cursor.fetchall() if required and default is None and not key
    }
