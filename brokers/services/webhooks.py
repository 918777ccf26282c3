"""Webhook endpoints, and deliveries that a broker wants again. Sending is in `delivery`."""

from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from brokers.calculations import find_url_problem
from brokers.errors import TooManyWebhookEndpoints, WebhookEndpointInactive, WebhookUrlRefused
from brokers.models import WebhookDelivery, WebhookEndpoint
from common.errors import FieldError
from oversight.services.records import record

ENDPOINTS_MAX = 20


@transaction.atomic
def create_webhook_endpoint(
    *,
    broker_id: UUID,
    url: str,
    payload_format: str = WebhookEndpoint.PayloadFormat.CLASSIC.value,
) -> WebhookEndpoint:
    """Deliver the events of `broker_id` to `url` too, from the next event on.

    Raises:
        WebhookUrlRefused: webhooks are not sent to that address.
        TooManyWebhookEndpoints: the broker has twenty active ones.
    """
    check_webhook_url(url)
    _check_room(broker_id)
    endpoint = WebhookEndpoint.objects.create(
        broker_id=broker_id, url=url, payload_format=payload_format
    )
    after = {"broker": broker_id, "payload_format": payload_format}
    record(action="webhook.created", target=endpoint, after=after)
    return endpoint


@transaction.atomic
def update_webhook_endpoint(
    *,
    endpoint: WebhookEndpoint,
    url: str | None = None,
    is_active: bool | None = None,
    payload_format: str | None = None,
) -> None:
    """Change the address (also of what waits for delivery), the format of events to come, or switch
    the endpoint on or off.

    Raises:
        WebhookUrlRefused: webhooks are not sent to that address.
        TooManyWebhookEndpoints: the broker has twenty active ones.
    """
    before = {"is_active": endpoint.is_active}
    is_moved = url not in (None, endpoint.url)
    if url is not None:
        check_webhook_url(url)
        endpoint.url = url
    if payload_format is not None:
        endpoint.payload_format = payload_format
    if is_active and not endpoint.is_active:
        _check_room(endpoint.broker_id)
        endpoint.is_active = True
    endpoint.save(update_fields=["url", "is_active", "payload_format", "updated_at"])
    if is_active is False:
        deactivate_webhook_endpoint(endpoint=endpoint)
    after = {"is_active": endpoint.is_active, "is_url_changed": is_moved}
    record(action="webhook.changed", target=endpoint, before=before, after=after)


@transaction.atomic
def deactivate_webhook_endpoint(*, endpoint: WebhookEndpoint) -> None:
    """Send nothing there any more; what waits is given up, and can be replayed later."""
    endpoint.is_active = False
    endpoint.save(update_fields=["is_active", "updated_at"])
    waiting = endpoint.deliveries.filter(due_at__isnull=False)
    waiting.update(due_at=None, last_error="The endpoint was deactivated.")


@transaction.atomic
def replay_webhook_delivery(*, delivery: WebhookDelivery) -> None:
    """Deliver an event again, with all its attempts before it.

    Raises:
        WebhookEndpointInactive: its endpoint is switched off.
    """
    if not delivery.endpoint.is_active:
        raise WebhookEndpointInactive()
    delivery.due_at = timezone.now()
    delivery.delivered_at = None
    delivery.attempts = 0
    delivery.last_error = ""
    delivery.save(update_fields=["due_at", "delivered_at", "attempts", "last_error"])
    record(action="webhook.replayed", target=delivery)


def check_webhook_url(url: str, *, field: str = "url") -> None:
    """See that webhooks may be sent to `url`.

    Raises:
        WebhookUrlRefused: they may not.
    """
    problem = find_url_problem(url, allow_private=settings.WEBHOOK_ALLOW_PRIVATE)
    if problem:
        raise WebhookUrlRefused(problem, errors=[FieldError(field, "webhook_url_refused", problem)])


def _check_room(broker_id: UUID) -> None:
    active = WebhookEndpoint.objects.filter(broker_id=broker_id, is_active=True)
    if active.count() >= ENDPOINTS_MAX:
        raise TooManyWebhookEndpoints(endpoints_max=ENDPOINTS_MAX)
