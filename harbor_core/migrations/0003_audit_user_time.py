"""What an account did, the newest first, however long the log is."""

from django.db import migrations, models

from harbor_core.lib.online import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("harbor_core", "0002_events_before_the_relay")]

    operations = [
        AddIndexOnline(
            model_name="auditlog",
            index=models.Index(fields=["username", "-op_time", "-id"], name="audit_user_time"),
        ),
    ]
