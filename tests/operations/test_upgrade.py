"""What an upgrade would do is told before it is done."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

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


# Of before there was a release that could go on meanwhile; nothing is added here.
BEFORE_THE_FIRST_RELEASE = {
    "harbor_auth.0003_tokens_and_rotation",
    "harbor_projects.0007_collection",
    "harbor_projects.0009_webhook_secrets_and_system_policies",
    "harbor_projects.0011_webhook_secret_overlap",
}


def test_every_migration_of_ours_lets_the_release_before_go_on() -> None:
    """Rolling upgrades rest on it: new columns of old tables are null or have a default in the database."""
    found: dict[str, list[str]] = {}
    for (app, name), migration in MigrationLoader(connection).disk_migrations.items():
        if app.startswith("harbor_") and not migration.initial and not name.startswith("0001"):
            reasons = [why for operation in migration.operations if (why := upgrade.unsafe(operation))]
            found |= {f"{app}.{name}": reasons} if reasons else {}
    assert set(found) == BEFORE_THE_FIRST_RELEASE, found
