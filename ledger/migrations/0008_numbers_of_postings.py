"""Postings take their numbers in blocks, and their accounts are looked up without locks."""

from pathlib import Path

from django.db import migrations

REVERSE = """
ALTER TABLE ledger_posting ALTER COLUMN id SET CACHE 1;
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0007_accounts_of_postings")]

    operations = [
        migrations.RunSQL(Path(__file__).with_suffix(".sql").read_text(), REVERSE),
    ]
