"""Accounts for tests of bots."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("brokers", "0003_status_of_people")]

    operations = [
        migrations.AddField(
            model_name="tradingaccount",
            name="is_sandbox",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="For tests of bots: prefixes of client_order_id force refusals and the like.",
            ),
        ),
    ]
