"""People are active, suspended or closed; `is_active` follows from it, so it is no column any more."""

from django.db import migrations, models
from django.utils import timezone


def suspend_inactive(apps, schema_editor):
    User = apps.get_model("brokers", "User")
    User.objects.filter(is_active=False).update(
        status="SUSPENDED", status_changed_at=timezone.now()
    )


def deactivate_others(apps, schema_editor):
    User = apps.get_model("brokers", "User")
    User.objects.exclude(status="ACTIVE").update(is_active=False)


class Migration(migrations.Migration):
    dependencies = [("brokers", "0002_due_deliveries_of_an_endpoint")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="status",
            field=models.CharField(
                choices=[("ACTIVE", "Active"), ("SUSPENDED", "Suspended"), ("CLOSED", "Closed")],
                default="ACTIVE",
                max_length=9,
            ),
        ),
        migrations.AddField(
            model_name="user",
            name="status_changed_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="user",
            name="email_verified_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="user",
            name="password_changed_at",
            field=models.DateTimeField(
                blank=True,
                help_text="By the person; what staff set stands in their log.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="user",
            name="updated_at",
            field=models.DateTimeField(auto_now=True),
        ),
        migrations.RunPython(suspend_inactive, deactivate_others),
        migrations.RemoveField(model_name="user", name="is_active"),
    ]
