"""When an alert was mailed and posted."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ledger', '0010_help_of_wallet_status'),
    ]

    operations = [
        migrations.AddField(
            model_name='alert',
            name='mailed_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='alert',
            name='posted_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
