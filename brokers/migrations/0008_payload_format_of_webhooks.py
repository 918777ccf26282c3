"""Trades in whole cents, as before, or as decimals."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("brokers", "0007_login_history")]

    operations = [
        migrations.AddField(
            model_name="webhookendpoint",
            name="payload_format",
            field=models.CharField(
                choices=[("CLASSIC", "Whole cents"), ("DECIMAL", "Decimals")],
                db_default="CLASSIC",
                default="CLASSIC",
                help_text="Of trades: whole cents, of instruments that trade in them alone, or "
                "decimals.",
                max_length=7,
            ),
        ),
    ]
