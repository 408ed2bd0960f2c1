"""Repository and tag names are listed in byte order (distribution spec: lexical); PostgreSQL needs to be told."""

from django.db import migrations

COLUMNS = [("harbor_projects_repository", "name", 255), ("harbor_projects_tag", "name", 128)]


def _alter(schema_editor, collation):
    if schema_editor.connection.vendor != "postgresql":
        return
    for table, column, length in COLUMNS:
        schema_editor.execute(f'ALTER TABLE {table} ALTER COLUMN {column} TYPE varchar({length}) COLLATE "{collation}"')


def forwards(apps, schema_editor):
    _alter(schema_editor, "C")


def backwards(apps, schema_editor):
    _alter(schema_editor, "default")


class Migration(migrations.Migration):
    dependencies = [("harbor_projects", "0001_initial")]
    operations = [migrations.RunPython(forwards, backwards)]
