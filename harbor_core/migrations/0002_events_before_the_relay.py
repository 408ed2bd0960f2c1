"""Events that were written before anything handed them over are passed over: nobody waits for news that old."""

from typing import Any

from django.db import migrations
from django.utils import timezone


def pass_over(apps: Any, schema_editor: Any) -> None:
    """Where one was ever handed over a relay is at work, and what waits there is still to be told."""
    events = apps.get_model("harbor_core", "Event").objects.using(schema_editor.connection.alias)
    if not events.filter(delivered_at__isnull=False).exists():
        events.filter(delivered_at=None).update(delivered_at=timezone.now())


class Migration(migrations.Migration):
    dependencies = [("harbor_core", "0001_initial")]

    operations = [migrations.RunPython(pass_over, migrations.RunPython.noop)]
