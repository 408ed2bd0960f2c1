from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("harbor_projects", "0005_quota_events_and_deleted_tags"),
    ]

    operations = [
        migrations.AddField(
            model_name="artifact",
            name="icon",
            field=models.CharField(blank=True, db_default="", default="", max_length=71),
        ),
        migrations.AddIndex(
            model_name="artifact",
            index=models.Index(condition=models.Q(("icon", ""), _negated=True), fields=["icon"], name="artifact_icon"),
        ),
    ]
