"""Brokers: registered with a first key."""

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
) -> RegisteredBroker:
    """Take a firm in, with a key for all that a broker does, and a webhook endpoint if it has one.

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
    created = create_api_key(broker_id=broker.id, scopes=BROKER_SCOPES, name="first key")
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
