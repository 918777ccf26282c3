"""From a key to its caller, without a query in the common case.

A key is found by the SHA-256 of the whole of it. What was found is remembered for four seconds in
each process, so revocation and suspension work everywhere within that time; expiry is looked at on
each use. Of use, `last_used_at` is noted at most once a minute, when keys are read anyway.
Keys of an account end with its owner's login, and rest while that is suspended.
"""

import hashlib
import hmac
import time
from collections.abc import Collection
from datetime import timedelta
from typing import NamedTuple

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from brokers.models import ApiKey, Broker
from brokers.services.tokens import check_user_active
from brokers.types import Principal
from common.caching import RenewedCache, TtlCache
from common.errors import NotAuthenticated

CACHE_SECONDS = 4.0
_KEY_CHARACTERS_MAX = 200
_NOTED_EVERY = timedelta(seconds=60)


class _Known(NamedTuple):
    principal: Principal
    expires_at: float | None  # seconds since 1970
    owner_status: str | None  # of the person whose account the key is bound to


_unknown_keys: TtlCache[str, bool] = TtlCache(max_size=10_000, ttl_seconds=CACHE_SECONDS)

_VENUE_ADMIN = Principal(
    key_id=None,
    broker_id=None,
    broker_name="",
    account_id=None,
    scopes=frozenset(),
    is_venue_admin=True,
)


def hash_key(raw_key: str) -> str:
    """The form in which a key is stored and found."""
    return hashlib.sha256(raw_key.encode(errors="surrogatepass")).hexdigest()


def authenticate_key(raw_key: str) -> Principal:
    """The caller that `raw_key` belongs to. May ask the database, once in four seconds a key.

    Raises:
        NotAuthenticated: the key is unknown, expired or revoked.
        UserSuspended, UserClosed: the owner of the account that it is bound to is shut out.
    """
    if len(raw_key) > _KEY_CHARACTERS_MAX:
        raise NotAuthenticated()
    if _is_venue_admin_key(raw_key):
        return _VENUE_ADMIN
    key_hash = hash_key(raw_key)
    known = _known_keys.get(key_hash) or _load(key_hash)
    if known.expires_at is not None and known.expires_at <= time.time():
        raise NotAuthenticated()
    if known.owner_status is not None:
        check_user_active(known.owner_status)
    return known.principal


def forget_keys() -> None:
    """Make this process ask the database for every key anew (others do within four seconds)."""
    _known_keys.clear()
    _unknown_keys.clear()


def _is_venue_admin_key(raw_key: str) -> bool:
    admin_key: str = settings.ADMIN_API_KEY
    return bool(admin_key) and hmac.compare_digest(
        raw_key.encode(errors="surrogatepass"), admin_key.encode()
    )


def _load(key_hash: str) -> _Known:
    if _unknown_keys.get(key_hash):
        raise NotAuthenticated()
    row = _usable_keys([key_hash]).first()
    if row is None:
        _unknown_keys.put(key_hash, True)
        raise NotAuthenticated()
    if row.last_used_at is None or row.last_used_at < timezone.now() - _NOTED_EVERY:
        _note_use([key_hash])
    known = _known(row)
    _known_keys.put(key_hash, known)
    return known


def _usable_keys(key_hashes: Collection[str]) -> QuerySet[ApiKey]:
    """The keys of these hashes that may be used."""
    return ApiKey.objects.filter(
        key_hash__in=key_hashes, revoked_at__isnull=True, waits_for_approval=False
    ).select_related("broker", "account__owner")


def _read_keys(key_hashes: Collection[str]) -> dict[str, _Known]:
    """What is known of the keys of these hashes, by hash."""
    return {row.key_hash: _known(row) for row in _usable_keys(key_hashes)}


def _note_use(key_hashes: Collection[str]) -> None:
    """Write `last_used_at` where that was not done in the last minute; several may try at once."""
    now = timezone.now()
    ApiKey.objects.filter(
        Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - _NOTED_EVERY),
        key_hash__in=key_hashes,
    ).update(last_used_at=now)


def _known(row: ApiKey) -> _Known:
    owner = row.account.owner if row.account else None
    return _Known(
        principal=Principal(
            key_id=row.id,
            broker_id=row.broker_id,
            broker_name=row.broker.name,
            account_id=row.account_id,
            scopes=frozenset(row.scopes),
            is_broker_suspended=row.broker.status == Broker.Status.SUSPENDED,
        ),
        expires_at=row.expires_at.timestamp() if row.expires_at else None,
        owner_status=owner.status if owner else None,
    )


_known_keys: RenewedCache[str, _Known] = RenewedCache(
    max_size=50_000, ttl_seconds=CACHE_SECONDS, load=_read_keys, note_use=_note_use
)
