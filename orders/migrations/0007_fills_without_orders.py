"""Fills that no order stands for: see `0007_fills_without_orders.sql`."""

from pathlib import Path

from django.db import migrations

_BEFORE = Path(__file__).with_name("0002_fill_view.sql").read_text()
# The view alone: up to the comment on the table of orders.
_VIEW, _, _ = _BEFORE.partition("-- Resting orders")


class Migration(migrations.Migration):
    dependencies = [("orders", "0006_keys_of_orders")]

    operations = [
        migrations.RunSQL(
            Path(__file__).with_suffix(".sql").read_text(),
            _VIEW.replace("CREATE VIEW", "CREATE OR REPLACE VIEW"),
        ),
    ]
