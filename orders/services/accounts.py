"""Whose account an order is for. Ids and owners never change, so they are remembered."""

from typing import NamedTuple
from uuid import UUID

from brokers.errors import OtherAccount
from brokers.selectors import get_account
from brokers.services import get_or_create_account_id
from brokers.types import Principal
from common.caching import TtlCache


class _Owner(NamedTuple):
    broker_id: UUID
    document_number: str


# Accounts are only removed together with their broker, whose key then fails.
_owners: TtlCache[int, _Owner] = TtlCache(max_size=200_000, ttl_seconds=600.0)


def resolve_account(
    *, principal: Principal, account_id: int | None, document_number: str | None
) -> tuple[int, UUID]:
    """The account that is meant, and its broker: by id, by document, or the one of a bound key.

    The account of a document is opened if there is none yet.

    Raises:
        AccountNotFound: there is no account of this id.
        OtherAccount: it is another broker's, or not the one that the key is bound to.
    """
    broker_id = get_broker_id(principal)
    bound_id = principal.account_id
    if account_id is None and document_number is None:
        account_id = bound_id
    if account_id is None:
        assert document_number is not None, "an order is for an account"
        if bound_id is None:
            opened_id = get_or_create_account_id(
                broker_id=broker_id, document_number=document_number
            )
            return opened_id, broker_id
        if _owner(bound_id).document_number != document_number:
            raise OtherAccount()
        return bound_id, broker_id
    if _owner(account_id).broker_id != broker_id or bound_id not in (None, account_id):
        raise OtherAccount()
    return account_id, broker_id


def get_broker_id(principal: Principal) -> UUID:
    """The principal's broker; the venue's own key, which has none, holds no scope to get here."""
    assert principal.broker_id is not None, "the venue has no orders"
    return principal.broker_id


def _owner(account_id: int) -> _Owner:
    owner = _owners.get(account_id)
    if owner is None:
        account = get_account(account_id)
        owner = _Owner(account.broker_id, account.document_number)
        _owners.put(account_id, owner)
    return owner
