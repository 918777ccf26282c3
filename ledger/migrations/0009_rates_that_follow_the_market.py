"""Conversion rates may follow the market: `rate` counts where no price service knows the pair."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ledger", "0008_accounts_looked_up")]

    operations = [
        migrations.AddField(
            model_name="conversionrate",
            name="follows_market",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Each quote is at the rate of the price services; the rate here counts "
                "where none of them knows the pair.",
            ),
        ),
    ]
