"""From a person's access token to its caller, with one look at the database in four seconds.

Signature and expiry are checked at each use; the person, the account and the broker are remembered
for as long as keys are. A token of another password than the remembered one makes this process look
again, so that who has just changed it is not shut out.
"""

from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.utils.crypto import constant_time_compare

from brokers.errors import InvalidToken
from brokers.models import Broker, Scope, TradingAccount, User
from brokers.selectors import find_retail_account
from brokers.services.authentication import CACHE_SECONDS, forget_keys
from brokers.services.tokens import check_user_active, read_access_token, session_hash_of
from brokers.types import Principal
from common.caching import TtlCache

# What a person may do with the own account, and give to keys of it.
PERSON_SCOPES = frozenset({Scope.READ.value, Scope.TRADE.value, Scope.TRANSFER.value})
_UNVERIFIED_SCOPES = frozenset({Scope.READ.value})


class _Known(NamedTuple):
    principal: Principal
    status: str
    session_hash: str


_known_people: TtlCache[UUID, _Known] = TtlCache(max_size=50_000, ttl_seconds=CACHE_SECONDS)


def authenticate_token(raw_token: str) -> Principal:
    """The person that an access token belongs to.

    Raises:
        InvalidToken: it is foreign, expired, or older than the password.
        UserSuspended, UserClosed: the person may not use the venue.
    """
    claims = read_access_token(raw_token)
    known = _known_people.get(claims.user_id) or _load(claims.user_id)
    if not constant_time_compare(claims.session_hash, known.session_hash):
        known = _load(claims.user_id)
        if not constant_time_compare(claims.session_hash, known.session_hash):
            raise InvalidToken()
    check_user_active(known.status)
    return known.principal


def forget_user(user_id: UUID) -> None:
    """Make this process ask for the person, and all keys, anew (others do within four seconds)."""
    _known_people.forget(user_id)
    forget_keys()


def _load(user_id: UUID) -> _Known:
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        raise InvalidToken()
    principal = _principal(user, find_retail_account(user_id))
    known = _Known(principal, user.status, session_hash_of(user))
    _known_people.put(user_id, known)
    return known


def _principal(user: User, account: TradingAccount | None) -> Principal:
    """A person without an account has no scope either, so that nothing is taken for everything."""
    if account is None:
        return Principal(
            key_id=None,
            broker_id=None,
            broker_name="",
            account_id=None,
            scopes=frozenset(),
            user_id=user.id,
        )
    is_verified = user.email_verified_at is not None or not settings.REQUIRE_VERIFIED_EMAIL
    return Principal(
        key_id=None,
        broker_id=account.broker_id,
        broker_name=account.broker.name,
        account_id=account.id,
        scopes=PERSON_SCOPES if is_verified else _UNVERIFIED_SCOPES,
        is_broker_suspended=account.broker.status == Broker.Status.SUSPENDED,
        user_id=user.id,
    )
