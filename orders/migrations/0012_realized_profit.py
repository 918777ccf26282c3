"""Realized profit beside average prices. Stored averages are dropped: they are made once more."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0011_refusals_and_deal_results")]

    operations = [
        migrations.RunSQL("DELETE FROM orders_averageprice", migrations.RunSQL.noop),
        migrations.AddField(
            model_name="averageprice",
            name="realized_profit",
            field=models.DecimalField(
                decimal_places=18,
                default=0,
                help_text="Of all sales so far, before fees.",
                max_digits=48,
            ),
        ),
    ]
