"""The help text of a wallet's status says what it stops."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ledger", "0009_rates_that_follow_the_market")]

    operations = [
        migrations.AlterField(
            model_name="ledgeraccount",
            name="status",
            field=models.CharField(
                choices=[("ACTIVE", "Active"), ("SUSPENDED", "Suspended"), ("CLOSED", "Closed")],
                db_default="ACTIVE",
                default="ACTIVE",
                help_text="Of a wallet: only an active one is debited and credited, other than by "
                "staff.",
                max_length=9,
            ),
        ),
    ]
