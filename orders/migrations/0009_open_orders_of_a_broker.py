"""An index of the open orders of a broker, made while the venue trades."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("orders", "0008_keys_of_trades")]

    operations = [
        AddIndexConcurrently(
            model_name="order",
            index=models.Index(
                fields=["broker", "-id"],
                condition=models.Q(("status__in", ["OPEN", "PARTIALLY_FILLED"])),
                name="order_open_of_broker",
            ),
        ),
    ]
