"""Finds request keys that are old."""

import django.contrib.postgres.indexes
from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ("orders", "0012_realized_profit"),
    ]

    operations = [
        migrations.AddIndex(
            model_name='requestkey',
            index=django.contrib.postgres.indexes.BrinIndex(fields=['created_at'], name='request_key_by_time'),
        ),
    ]
