"""Triggers of transfers, seals and approvals, and of entries without journal: `0004_guards.sql`."""

from pathlib import Path

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("ledger", "0003_wallets_transfers_control")]

    operations = [
        migrations.RunSQL(Path(__file__).with_suffix(".sql").read_text()),
    ]
