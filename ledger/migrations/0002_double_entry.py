"""Triggers and the composite foreign key of double entry: see `0002_double_entry.sql`."""

from pathlib import Path

from django.db import migrations

REVERSE = """
DROP TRIGGER posting_sum_zero ON ledger_posting;
DROP TRIGGER posting_append_only ON ledger_posting;
DROP TRIGGER journalentry_append_only ON ledger_journalentry;
DROP TRIGGER entrysource_append_only ON ledger_entrysource;
DROP FUNCTION ledger_check_postings_sum_zero();
DROP FUNCTION ledger_refuse_change();
ALTER TABLE ledger_posting DROP CONSTRAINT posting_account_and_asset;
ALTER TABLE ledger_ledgeraccount RESET (fillfactor, autovacuum_vacuum_scale_factor);
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]

    operations = [
        migrations.RunSQL(Path(__file__).with_suffix(".sql").read_text(), REVERSE),
    ]
