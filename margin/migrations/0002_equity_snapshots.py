"""What accounts were worth, minute by minute."""

import django.contrib.postgres.indexes
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('brokers', '0004_sandbox_accounts'),
        ('margin', '0001_positions'),
        ('marketdata', '0002_perpetual_terms_and_marks'),
    ]

    operations = [
        migrations.CreateModel(
            name='EquitySnapshot',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(help_text='The minute, at its begin.')),
                ('equity', models.DecimalField(decimal_places=8, max_digits=38)),
                ('initial_margin', models.DecimalField(decimal_places=8, max_digits=38)),
                ('maintenance_margin', models.DecimalField(decimal_places=8, max_digits=38)),
                ('account', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='brokers.tradingaccount')),
                ('asset', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='marketdata.asset')),
            ],
            options={
                'indexes': [django.contrib.postgres.indexes.BrinIndex(fields=['at'], name='equity_snapshot_by_time')],
                'constraints': [models.UniqueConstraint(fields=('account', 'asset', 'at'), name='equity_snapshot_once_a_minute')],
            },
        ),
    ]
