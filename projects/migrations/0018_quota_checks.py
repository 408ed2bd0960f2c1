from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('harbor_projects', '0017_left_out_index'),
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
