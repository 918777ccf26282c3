"""Due deliveries are claimed endpoint by endpoint, so that a backlog of one does not hide others."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("brokers", "0001_initial")]

    operations = [
        migrations.RemoveIndex(model_name="webhookdelivery", name="delivery_due"),
        migrations.AddIndex(
            model_name="webhookdelivery",
            index=models.Index(
                condition=models.Q(("due_at__isnull", False)),
                fields=["endpoint", "due_at"],
                name="delivery_due_of_endpoint",
            ),
        ),
    ]
