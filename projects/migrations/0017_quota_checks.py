from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('harbor_projects', '0016_columns_old_code_does_not_write'),
    ]

    operations = [
        migrations.AddField(
            model_name='quota',
            name='checked_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='quota',
            name='drift',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='quota',
            name='miscounted',
            field=models.BigIntegerField(null=True),
        ),
    ]
