"""Webhook endpoints and deliveries."""

from django.db import models
from django.db.models import Q

from brokers.models.firms import Broker
from common.ids import new_uuid
from common.models import TimeStampedModel


class WebhookEndpoint(TimeStampedModel):
    """Where a broker wants its events delivered.

    Trades come in whole cents, and only of instruments that trade in them, or as decimals.
    """

    class PayloadFormat(models.TextChoices):
        CLASSIC = "CLASSIC", "Whole cents"
        DECIMAL = "DECIMAL", "Decimals"

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    broker = models.ForeignKey(Broker, on_delete=models.PROTECT, related_name="webhook_endpoints")
    url = models.URLField(max_length=500)
    is_active = models.BooleanField(default=True)
    payload_format = models.CharField(
        max_length=7,
        choices=PayloadFormat,
        default=PayloadFormat.CLASSIC,
        db_default=PayloadFormat.CLASSIC,
        help_text="Of trades: whole cents, of instruments that trade in them alone, or decimals.",
    )

    def __str__(self) -> str:
        return self.url


class WebhookDelivery(models.Model):
    """One event for one endpoint: written in the event's transaction, delivered after commit.

    `due_at` is empty when nothing is to be done any more: delivered or given up.
    """

    id = models.BigAutoField(primary_key=True)
    endpoint = models.ForeignKey(
        WebhookEndpoint, on_delete=models.PROTECT, related_name="deliveries"
    )
    event = models.CharField(max_length=40)
    payload = models.TextField(help_text="The body, byte for byte as it is sent.")
    created_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    delivered_at = models.DateTimeField(null=True, blank=True)
    last_status = models.PositiveSmallIntegerField(null=True, blank=True)
    last_error = models.CharField(max_length=200, blank=True, default="", db_default="")

    class Meta:
        verbose_name_plural = "webhook deliveries"
        indexes = [
            models.Index(
                fields=["endpoint", "due_at"],
                name="delivery_due_of_endpoint",
                condition=Q(due_at__isnull=False),
            ),
            models.Index(fields=["endpoint", "-id"], name="delivery_of_endpoint"),
        ]

    def __str__(self) -> str:
        return f"{self.event} #{self.id}"
