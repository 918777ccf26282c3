"""Reads of the brokers app."""

from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet
from django.db.models.functions import Lower

from brokers.errors import (
    AccountNotFound,
    ApiKeyNotFound,
    BrokerNotFound,
    WebhookDeliveryNotFound,
    WebhookEndpointNotFound,
)
from brokers.models import ApiKey, Broker, TradingAccount, User, WebhookDelivery, WebhookEndpoint
from common.limits import BIGINT_MAX

# The states of a delivery that lists can be filtered by.
DELIVERY_STATUSES = {
    "delivered": Q(delivered_at__isnull=False),
    "pending": Q(due_at__isnull=False),
    "failed": Q(due_at__isnull=True, delivered_at__isnull=True),
}


def get_broker(broker_id: UUID) -> Broker:
    """The broker.

    Raises:
        BrokerNotFound: there is none.
    """
    broker = Broker.objects.filter(pk=broker_id).first()
    if broker is None:
        raise BrokerNotFound(broker_id=broker_id)
    return broker


def find_retail_broker() -> Broker | None:
    """The broker of people, named by RETAIL_BROKER; None before the first of them registers.

    A name is nobody's property: what registered itself under it does not count, nor a later one.
    """
    named = Broker.objects.filter(name=settings.RETAIL_BROKER, is_self_registered=False)
    return named.order_by("created_at", "id").first()


def get_user(user_id: UUID) -> User:
    """The person of an id that an authenticated caller has; people are never deleted."""
    return User.objects.get(pk=user_id)


def find_user_by_email(email: str) -> User | None:
    """The person of an email address, in upper or lower case."""
    return User.objects.alias(address=Lower("email")).filter(address=email.lower()).first()


def find_retail_account(user_id: UUID) -> TradingAccount | None:
    """The person's account at the retail broker, with its broker; None where there is none."""
    broker = find_retail_broker()
    accounts = TradingAccount.objects.filter(owner_id=user_id, broker=broker)
    return None if broker is None else accounts.select_related("broker").order_by("id").first()


def get_account(account_id: int) -> TradingAccount:
    """The account, of whichever broker: the caller decides who may see it.

    Raises:
        AccountNotFound: there is none.
    """
    account = None
    if 0 < account_id <= BIGINT_MAX:
        account = TradingAccount.objects.filter(pk=account_id).first()
    if account is None:
        raise AccountNotFound()
    return account


def find_account(*, broker_id: UUID, document_number: str) -> TradingAccount | None:
    """The broker's account of a client's document, None where it has none yet."""
    return TradingAccount.objects.filter(
        broker_id=broker_id, document_number=document_number
    ).first()


def list_accounts(*, broker_id: UUID, account_id: int | None) -> QuerySet[TradingAccount]:
    """The accounts of a broker, or the one that a key is bound to."""
    accounts = TradingAccount.objects.filter(broker_id=broker_id)
    return accounts if account_id is None else accounts.filter(pk=account_id)


def list_api_keys(*, broker_id: UUID, account_id: int | None) -> QuerySet[ApiKey]:
    """The keys of a broker, revoked ones too; a bound key sees those of its account."""
    keys = ApiKey.objects.filter(broker_id=broker_id)
    return keys if account_id is None else keys.filter(account_id=account_id)


def get_api_key(*, broker_id: UUID, account_id: int | None, key_id: UUID) -> ApiKey:
    """One of `list_api_keys`.

    Raises:
        ApiKeyNotFound: it is not among them.
    """
    key = list_api_keys(broker_id=broker_id, account_id=account_id).filter(pk=key_id).first()
    if key is None:
        raise ApiKeyNotFound()
    return key


def list_webhook_endpoints(*, broker_id: UUID) -> QuerySet[WebhookEndpoint]:
    """The endpoints of a broker, inactive ones too."""
    return WebhookEndpoint.objects.filter(broker_id=broker_id)


def get_webhook_endpoint(*, broker_id: UUID, endpoint_id: UUID) -> WebhookEndpoint:
    """An endpoint of the broker.

    Raises:
        WebhookEndpointNotFound: it has no such endpoint.
    """
    endpoint = list_webhook_endpoints(broker_id=broker_id).filter(pk=endpoint_id).first()
    if endpoint is None:
        raise WebhookEndpointNotFound()
    return endpoint


def list_webhook_deliveries(
    *,
    broker_id: UUID,
    endpoint_id: UUID | None = None,
    status: str | None = None,
    event: str | None = None,
) -> QuerySet[WebhookDelivery]:
    """Deliveries to a broker's endpoints; `status` is one of DELIVERY_STATUSES."""
    deliveries = WebhookDelivery.objects.filter(endpoint__broker_id=broker_id)
    if endpoint_id is not None:
        deliveries = deliveries.filter(endpoint_id=endpoint_id)
    if status is not None:
        deliveries = deliveries.filter(DELIVERY_STATUSES[status])
    if event is not None:
        deliveries = deliveries.filter(event=event)
    return deliveries


def get_webhook_delivery(*, broker_id: UUID, delivery_id: int) -> WebhookDelivery:
    """A delivery to one of the broker's endpoints.

    Raises:
        WebhookDeliveryNotFound: it has no such delivery.
    """
    delivery = None
    if 0 < delivery_id <= BIGINT_MAX:
        delivery = list_webhook_deliveries(broker_id=broker_id).filter(pk=delivery_id).first()
    if delivery is None:
        raise WebhookDeliveryNotFound()
    return delivery


def delivery_status(delivery: WebhookDelivery) -> str:
    """One of the names in DELIVERY_STATUSES."""
    if delivery.delivered_at is not None:
        return "delivered"
    return "failed" if delivery.due_at is None else "pending"
