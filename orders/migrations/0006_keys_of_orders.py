"""Accounts and instruments of orders checked once a statement: see `0006_keys_of_orders.sql`."""

from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models

REVERSE = """
DROP TRIGGER order_has_instrument ON marketdata_instrument;
DROP TRIGGER order_has_account ON brokers_tradingaccount;
DROP TRIGGER order_keeps_its_keys ON orders_order;
DROP TRIGGER order_has_account_and_instrument ON orders_order;
DROP FUNCTION orders_keep_instrument();
DROP FUNCTION orders_keep_account();
DROP FUNCTION orders_refuse_other_keys();
DROP FUNCTION orders_check_keys();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0005_forced_venue"),
        ("brokers", "0001_initial"),
        ("marketdata", "0001_initial"),
    ]

    operations = [
        migrations.AlterField(
            model_name="order",
            name="account",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="orders",
                to="brokers.tradingaccount",
            ),
        ),
        migrations.AlterField(
            model_name="order",
            name="instrument",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="marketdata.instrument",
            ),
        ),
        migrations.RunSQL(Path(__file__).with_suffix(".sql").read_text(), REVERSE),
    ]
