"""The facts of refused orders, and what accounts had right after deals in perpetuals."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0010_request_keys")]

    operations = [
        migrations.CreateModel(
            name="DealResult",
            fields=[
                (
                    "trade",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="deal_result",
                        serialize=False,
                        to="orders.trade",
                    ),
                ),
                (
                    "cash_balance",
                    models.DecimalField(
                        decimal_places=8, help_text="The collateral.", max_digits=38
                    ),
                ),
                (
                    "holding",
                    models.DecimalField(decimal_places=8, help_text="The position.", max_digits=38),
                ),
            ],
        ),
        migrations.CreateModel(
            name="OrderRefusal",
            fields=[
                (
                    "order",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="refusal",
                        serialize=False,
                        to="orders.order",
                    ),
                ),
                ("facts", models.JSONField()),
            ],
        ),
    ]
