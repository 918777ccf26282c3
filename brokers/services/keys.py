"""API keys: made and shown once, revoked for good, replaced by a successor."""

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from brokers.errors import ApiKeyRevoked, KeyNotWaiting, OtherAccount, OwnKey, ScopeNotHeld
from brokers.locks import lock_api_key
from brokers.models import ApiKey, Scope, TradingAccount, User
from brokers.services.authentication import forget_keys, hash_key
from oversight.services.records import record

OVERLAP_SECONDS_MAX = 7 * 24 * 3600
# What the first key of a broker may do. `book` and `marks` are for the venue to give.
BROKER_SCOPES = (Scope.READ, Scope.TRADE, Scope.TRANSFER, Scope.ADMIN)

_PREFIX_CHARACTERS = 12


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """A new key and its secret, which cannot be had again."""

    api_key: ApiKey
    secret: str


def create_api_key(
    *,
    broker_id: UUID,
    scopes: Collection[str],
    name: str = "",
    account_id: int | None = None,
    expires_at: datetime | None = None,
    grantor_scopes: Collection[str] | None = None,
    secret: str | None = None,
    made_by: User | None = None,
) -> CreatedKey:
    """Make a key. A given `secret` is taken as it is: for keys that documents name (the demo's).

    A key that a member of staff makes (`made_by`) works once another one approves it: its maker has
    seen the secret, and nobody alone gets at other people's accounts.

    `grantor_scopes`: what the key that asks for it may do; None when the venue itself asks.

    Raises:
        ScopeNotHeld: the new key could do more than the one that asks for it.
        OtherAccount: `account_id` is no account of the broker.
    """
    if grantor_scopes is not None and not set(scopes) <= set(grantor_scopes):
        raise ScopeNotHeld(held_scopes=sorted(grantor_scopes))
    if account_id is not None and not _has_account(broker_id, account_id):
        raise OtherAccount()
    secret = secret or f"bk_{secrets.token_urlsafe(32)}"
    with transaction.atomic():
        api_key = ApiKey.objects.create(
            broker_id=broker_id,
            account_id=account_id,
            name=name,
            prefix=secret[:_PREFIX_CHARACTERS],
            key_hash=hash_key(secret),
            scopes=[str(scope) for scope in scopes],
            expires_at=expires_at,
            made_by=made_by,
            waits_for_approval=made_by is not None,
        )
        record(
            action="api_key.created",
            target=api_key,
            after={
                "broker": broker_id,
                "account": account_id,
                "scopes": api_key.scopes,
                "waits_for_approval": api_key.waits_for_approval,
            },
        )
    forget_keys()
    return CreatedKey(api_key, secret)


@transaction.atomic
def approve_api_key(*, api_key: ApiKey, user: User) -> None:
    """Let a key work that another member of staff has made.

    Raises:
        KeyNotWaiting: it waits for no approval, or is revoked.
        OwnKey: the person has made it.
    """
    row = lock_api_key(api_key.pk)
    if not row.waits_for_approval or row.revoked_at is not None:
        raise KeyNotWaiting()
    if row.made_by_id == user.pk:
        raise OwnKey()
    row.waits_for_approval = False
    row.save(update_fields=["waits_for_approval", "updated_at"])
    record(action="api_key.approved", target=row)
    transaction.on_commit(forget_keys)


def revoke_api_key(*, api_key: ApiKey) -> None:
    """End a key: no process takes it after four seconds. Revoking it again changes nothing."""
    revoked = ApiKey.objects.filter(pk=api_key.pk, revoked_at__isnull=True)
    with transaction.atomic():
        if revoked.update(revoked_at=timezone.now(), updated_at=timezone.now()):
            record(action="api_key.revoked", target=api_key)
    api_key.refresh_from_db(fields=["revoked_at", "updated_at"])
    forget_keys()


def revoke_keys_of_owner(*, user: User) -> None:
    """End all keys of the accounts that a person owns, in the transaction of the caller."""
    now = timezone.now()
    keys = ApiKey.objects.filter(account__owner=user, revoked_at__isnull=True)
    keys.update(revoked_at=now, updated_at=now)


def rotate_api_key(
    *,
    api_key: ApiKey,
    overlap_seconds: int = 0,
    grantor_scopes: Collection[str] | None = None,
) -> CreatedKey:
    """Make a successor with the same name, scopes, account and expiry.

    The old key is revoked, or expires after `overlap_seconds`, in which both work. Who asks needs
    all its scopes, since it gets to know a key that has them.

    Raises:
        ScopeNotHeld: the key can do more than the one that asks (`grantor_scopes`).
        ApiKeyRevoked: there is nothing to replace.
    """
    with transaction.atomic():
        old = lock_api_key(api_key.pk)
        if old.revoked_at is not None:
            raise ApiKeyRevoked()
        successor = create_api_key(
            broker_id=old.broker_id,
            scopes=old.scopes,
            name=old.name,
            account_id=old.account_id,
            expires_at=old.expires_at,
            grantor_scopes=grantor_scopes,
        )
        if overlap_seconds:
            end = timezone.now() + timedelta(seconds=overlap_seconds)
            old.expires_at = min(old.expires_at or end, end)
            old.save(update_fields=["expires_at", "updated_at"])
            forget_keys()
        else:
            revoke_api_key(api_key=old)
    return successor


def _has_account(broker_id: UUID, account_id: int) -> bool:
    return TradingAccount.objects.filter(pk=account_id, broker_id=broker_id).exists()
