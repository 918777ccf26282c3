"""Accounts of postings checked once a statement: see `0007_accounts_of_postings.sql`."""

from pathlib import Path

from django.db import migrations

REVERSE = """
DROP TRIGGER posting_account_and_asset ON ledger_ledgeraccount;
DROP TRIGGER posting_account_and_asset ON ledger_posting;
DROP FUNCTION ledger_keep_posted_account();
DROP FUNCTION ledger_check_posting_accounts();
ALTER TABLE ledger_posting
    ADD CONSTRAINT posting_account_and_asset
    FOREIGN KEY (ledger_account_id, asset_id) REFERENCES ledger_ledgeraccount (id, asset_id);
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0006_forced_entries")]

    operations = [
        migrations.RunSQL(Path(__file__).with_suffix(".sql").read_text(), REVERSE),
        # It was there for the foreign key.
        migrations.RemoveConstraint("ledgeraccount", "ledger_account_asset"),
    ]
