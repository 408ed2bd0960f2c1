from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('harbor_core', '0003_audit_user_time'),
    ]

    operations = [
        migrations.AddField(
            model_name='event',
            name='traceparent',
            field=models.CharField(blank=True, db_default='', default='', max_length=55),
        ),
    ]
