"""Postings take their numbers one at a time: an account's rise with its versions again.

Pages of booked lines go by them. In blocks, a session that had taken its block before another one
booked on the same account gave a newer line a smaller number, and a page passed lines over.
"""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("ledger", "0008_numbers_of_postings")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE ledger_posting ALTER COLUMN id SET CACHE 1",
            "ALTER TABLE ledger_posting ALTER COLUMN id SET CACHE 500",
        ),
    ]
