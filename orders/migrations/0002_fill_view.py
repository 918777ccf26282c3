"""The view of fills: see `0002_fill_view.sql`."""

from pathlib import Path

from django.db import migrations

REVERSE = "DROP VIEW orders_fill; ALTER TABLE orders_order RESET (fillfactor);"


class Migration(migrations.Migration):
    dependencies = [("orders", "0001_initial")]

    operations = [
        migrations.RunSQL(Path(__file__).with_suffix(".sql").read_text(), REVERSE),
    ]
