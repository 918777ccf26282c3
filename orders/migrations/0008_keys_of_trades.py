"""Orders and instruments of trades checked once a statement: see `0008_keys_of_trades.sql`."""

from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models

REVERSE = """
DROP TRIGGER trade_has_orders ON orders_order;
DROP TRIGGER trade_keeps_its_keys ON orders_trade;
DROP TRIGGER trade_has_orders_and_instrument ON orders_trade;
DROP FUNCTION orders_keep_traded_order();
DROP FUNCTION orders_refuse_other_trade_keys();
DROP FUNCTION orders_check_trade_keys();
"""


def _order(related_name: str = "+") -> models.ForeignKey:
    return models.ForeignKey(
        db_constraint=False,
        db_index=False,
        null=True,
        on_delete=django.db.models.deletion.PROTECT,
        related_name=related_name,
        to="orders.order",
    )


class Migration(migrations.Migration):
    dependencies = [("orders", "0007_fills_without_orders"), ("marketdata", "0001_initial")]

    operations = [
        migrations.AlterField("trade", "buy_order", _order()),
        migrations.AlterField("trade", "sell_order", _order()),
        migrations.AlterField(
            "trade",
            "instrument",
            models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="marketdata.instrument",
            ),
        ),
        migrations.RunSQL(Path(__file__).with_suffix(".sql").read_text(), REVERSE),
    ]
