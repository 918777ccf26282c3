"""Transfers as plain values: one, or those of a caller, newest first."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet

from brokers.types import Principal
from common.ids import first_uuid_from
from ledger.errors import NotOwnTransfer, TransferNotFound
from ledger.models import Transfer
from ledger.types import TransferState, TransferStatus

DIRECTIONS = ("in", "out")

# The ends of a few index ranges, merged: costs what the page costs, however many there are.
_PAGE_OF_WALLETS = """
WITH wallets AS (SELECT unnest(%(wallets)s::bigint[]) AS id)
SELECT id FROM (
       SELECT t.id FROM wallets w CROSS JOIN LATERAL (
              SELECT q.id FROM ledger_transfer q WHERE q.source_id = w.id AND {where}
               ORDER BY q.id {order} LIMIT %(limit)s) t WHERE %(out)s
        UNION
       SELECT t.id FROM wallets w CROSS JOIN LATERAL (
              SELECT q.id FROM ledger_transfer q WHERE q.destination_id = w.id AND {where}
               ORDER BY q.id {order} LIMIT %(limit)s) t WHERE %(in)s) AS ids
 ORDER BY id {order} LIMIT %(limit)s
"""
_WHERE = """(%(status)s::text IS NULL OR q.status = %(status)s)
                 AND q.id >= %(from)s::uuid AND q.id < %(to)s::uuid"""
_NEWEST_FIRST = _PAGE_OF_WALLETS.format(where=_WHERE, order="DESC")
_OLDEST_FIRST = _PAGE_OF_WALLETS.format(where=_WHERE, order="ASC")
_FIRST_ID, _LAST_ID = UUID(int=0), UUID(int=2**128 - 1)


def get_transfer(transfer_id: UUID, *, principal: Principal) -> TransferState:
    """A transfer that the caller sends or gets.

    Raises:
        TransferNotFound, NotOwnTransfer: there is none, or the caller has no wallet in it.
    """
    row = (
        Transfer.objects.filter(id=transfer_id)
        .select_related("asset", "source__trading_account", "destination__trading_account")
        .first()
    )
    if row is None:
        raise TransferNotFound(transfer_id=transfer_id)
    for side in (row.source, row.destination):
        account = side.trading_account
        assert account is not None
        is_bound_elsewhere = principal.account_id not in (None, account.id)
        if account.broker_id == principal.broker_id and not is_bound_elsewhere:
            return state_of(row)
    raise NotOwnTransfer()


def list_transfers(
    *,
    broker_id: UUID,
    wallet_ids: Sequence[int] | None,
    limit: int,
    before: UUID | None = None,
    after: UUID | None = None,
    direction: str | None = None,
    status: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[TransferState]:
    """A page of the transfers of these wallets (None: of all of the broker), newest first.

    `before` and `after` are ids, as `common.api.pagination` hands them out; with `after` the answer
    is oldest first. `since` and `until` (exclusive) are of `created_at`.
    """
    lower = _FIRST_ID if since is None else first_uuid_from(since)
    upper = _LAST_ID if until is None else first_uuid_from(until)
    if after is not None:
        lower = max(lower, UUID(int=after.int + 1))
    if before is not None:
        upper = min(upper, before)
    order = "-id" if after is None else "id"
    if wallet_ids is None:
        found = _of_broker(broker_id, direction, status).filter(id__gte=lower, id__lt=upper)
        rows = list(found.order_by(order)[:limit])
    else:
        given = {"wallets": list(wallet_ids), "limit": limit, "status": status, "from": lower}
        given |= {"to": upper, "out": direction != "in", "in": direction != "out"}
        ids = _ids(_NEWEST_FIRST if after is None else _OLDEST_FIRST, given)
        rows = list(Transfer.objects.filter(id__in=ids).select_related("asset").order_by(order))
    return [state_of(row) for row in rows]


def state_of(row: Transfer) -> TransferState:
    """The row, read with its asset, as a plain value."""
    return TransferState(
        id=row.id,
        source_id=row.source_id,
        destination_id=row.destination_id,
        currency=row.asset.code,
        amount=row.amount,
        posted_amount=row.posted_amount,
        status=TransferStatus(row.status),
        reason=row.reason,
        is_two_step=row.is_two_step,
        expires_at=row.expires_at,
        linked_id=row.linked_id,
        memo=row.memo,
        actor=row.actor,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )


def _of_broker(broker_id: UUID, direction: str | None, status: str | None) -> QuerySet[Transfer]:
    """Read from the newest on until the page is full: a broker has too many wallets to merge."""
    sent = Q(source__trading_account__broker_id=broker_id)
    taken = Q(destination__trading_account__broker_id=broker_id)
    sides = {"out": sent, "in": taken, None: sent | taken}
    rows = Transfer.objects.filter(sides[direction]).select_related("asset")
    return rows if status is None else rows.filter(status=status)


def _ids(query: str, given: dict[str, Any]) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(query, given)
        return [id for (id,) in cursor.fetchall()]
