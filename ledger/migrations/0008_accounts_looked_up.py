"""Accounts of postings are looked up without locks: see `0008_accounts_looked_up.sql`."""

from pathlib import Path

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("ledger", "0007_accounts_of_postings")]

    operations = [
        # What it replaces goes with the triggers of the migration before.
        migrations.RunSQL(Path(__file__).with_suffix(".sql").read_text(), migrations.RunSQL.noop),
    ]
