"""Indexes that lack children on purpose are few; what looks for them reads no more than those."""

from django.db import migrations, models

from harbor_core.lib.online import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("harbor_projects", "0016_columns_old_code_does_not_write")]

    operations = [
        AddIndexOnline(
            model_name="artifactreference",
            index=models.Index(
                fields=["parent"], name="reference_left_out", condition=models.Q(("left_out", True))
            ),
        ),
    ]
