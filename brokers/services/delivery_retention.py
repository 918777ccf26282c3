"""Old webhook deliveries are forgotten."""

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from brokers.models import WebhookDelivery
from common.purging import purge_oldest


def purge_webhook_deliveries() -> int:
    """Delete old deliveries that are over, delivered or given up, in chunks; returns how many."""
    until = timezone.now() - settings.KEPT["WEBHOOK_DELIVERIES_KEPT_DAYS"]
    return purge_oldest(WebhookDelivery.objects.all(), Q(created_at__lt=until, due_at__isnull=True))
