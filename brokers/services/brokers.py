"""Brokers: registered with a first key."""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction

from brokers.models import ApiKey, Broker, Funding
from brokers.services.keys import BROKER_SCOPES, create_api_key
from brokers.services.webhooks import check_webhook_url, create_webhook_endpoint
from oversight.services.records import record


@dataclass(frozen=True, slots=True)
class RegisteredBroker:
    """A new broker, its first key and that key's secret, which cannot be had again."""

    broker: Broker
    api_key: ApiKey
    secret: str


@transaction.atomic
def register_broker(
    *,
    name: str,
    webhook_url: str | None = None,
    default_funding: str = Funding.CREDIT,
    default_credit_limit: Decimal | None = None,
    is_self_registered: bool = False,
    scopes: Collection[str] = BROKER_SCOPES,
) -> RegisteredBroker:
    """Register a firm, with a first key of these scopes, and a webhook endpoint if it has one.

    A key may hand on its scopes and no others: without `book` or `marks` here, none of the broker's
    keys has them unless staff make one.

    Raises:
        WebhookUrlRefused: webhooks are not sent to that address.
    """
    broker = Broker.objects.create(
        name=name,
        default_funding=default_funding,
        default_credit_limit=default_credit_limit,
        is_self_registered=is_self_registered,
    )
    if webhook_url is not None:
        check_webhook_url(webhook_url, field="webhook_url")
        create_webhook_endpoint(broker_id=broker.id, url=webhook_url)
    created = create_api_key(broker_id=broker.id, scopes=scopes, name="first key")
    record(
        action="broker.registered",
        target=broker,
        after={
            "default_funding": default_funding,
            "default_credit_limit": default_credit_limit,
        },
    )
    return RegisteredBroker(broker, created.api_key, created.secret)


@transaction.atomic
def store_broker(broker: Broker) -> None:
    """Save a broker's name and what accounts get that its orders open."""
    fields = ("name", "default_funding", "default_credit_limit")
    before = Broker.objects.values(*fields).get(pk=broker.pk)
    broker.save(update_fields=[*fields, "updated_at"])
    after = {name: getattr(broker, name) for name in fields}
    record(action="broker.changed", target=broker, before=before, after=after)
