from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('harbor_jobservice', '0003_storage_findings'),
    ]

    operations = [
        migrations.AddField(
            model_name='task',
            name='traceparent',
            field=models.CharField(blank=True, db_default='', default='', max_length=55),
        ),
    ]
