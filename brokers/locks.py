"""The only locks of the brokers app."""

from uuid import UUID

from django.db import connection

from brokers.models import ApiKey, Broker, StaffRightsRequest, TradingAccount, User

_RETAIL_BROKER_LOCK = 0x72657461


def lock_account(account_id: int) -> TradingAccount:
    """The trading account, locked until the transaction ends, as the engines lock it."""
    return TradingAccount.objects.select_for_update(no_key=True).get(pk=account_id)


def lock_broker(broker_id: UUID) -> Broker:
    """The broker, locked until the transaction ends; references to the row stay possible."""
    return Broker.objects.select_for_update(no_key=True).get(pk=broker_id)


def lock_api_key(key_id: UUID) -> ApiKey:
    """The key, locked until the transaction ends; references to it stay possible."""
    return ApiKey.objects.select_for_update(no_key=True).get(pk=key_id)


def lock_user(user_id: UUID) -> User:
    """The person, locked until the transaction ends; references to the row stay possible."""
    return User.objects.select_for_update(no_key=True).get(pk=user_id)


def lock_rights_request(request_id: int) -> StaffRightsRequest:
    """The request, locked until the transaction ends: one decision counts."""
    return StaffRightsRequest.objects.select_for_update(no_key=True).get(pk=request_id)


def lock_retail_broker() -> None:
    """Keep others from making the retail broker until the transaction ends (advisory)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_RETAIL_BROKER_LOCK])


def lock_token_family(family: str) -> None:
    """Keep others from the tokens of one login until the transaction ends (advisory)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [family])
