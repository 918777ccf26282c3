"""The second step of a transfer: posted in full or in part, voided, or timed out.

Locks: the transfers, then their wallets in the order of ids. Whichever of the three comes first
finishes the transfer; the others find it finished.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from brokers.types import Principal
from common.database import pipelined, retry_on_conflict
from common.money import from_units8, plain, to_units8
from common.postgres_arrays import texts, words
from ledger import locks
from ledger.batch import LedgerBatch
from ledger.bulk import LockedWallet, lock_wallets, write
from ledger.errors import (
    AccountNotActive,
    AmountAbovePending,
    NotOwnTransfer,
    TransferFinished,
    TransferTimedOut,
    WalletNotActive,
)
from ledger.models import LedgerAccount, Transfer
from ledger.selectors.transfers import state_of
from ledger.services.entries import check_pay_out
from ledger.services.transfers.deciding import move, read_amount
from ledger.types import TransferReason, TransferState, TransferStatus

_SWEEPER = "sweeper"
_CHUNK = 500

_UPDATE = """
UPDATE ledger_transfer AS t
   SET status = u.status, reason = u.reason, posted_amount = u.posted_amount, finished_at = %s
  FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::numeric[])
       AS u (id, status, reason, posted_amount)
 WHERE t.id = u.id
"""


@dataclass(frozen=True, slots=True)
class _Ending:
    """How a locked pending transfer ends: with what moves in units8, or with the reason."""

    transfer: Transfer
    posted: int = 0
    reason: str = ""

    @property
    def posted_amount(self) -> Decimal | None:
        return from_units8(self.posted) if self.posted else None

    @property
    def status(self) -> TransferStatus:
        return TransferStatus.COMPLETED if self.posted else TransferStatus.FAILED


@retry_on_conflict
@transaction.atomic
def post_transfer(
    *, transfer_id: UUID, principal: Principal, amount: Decimal | None = None
) -> TransferState:
    """Let a pending transfer happen, in full or with `amount` of it; the rest is freed.

    For the owner of the wallet that pays.

    Raises:
        TransferNotFound, NotOwnTransfer: there is none, or the caller does not pay it.
        TransferFinished: it was posted, voided or timed out before, or had one step.
        TransferTimedOut: its time is over, though nobody has swept it up yet.
        ValidationFailed, AmountAbovePending: `amount` is none, or above what is held.
        WalletNotActive, AccountNotActive: one side does not send or take money; it stays pending.
        InsufficientFunds: trades on credit have spent what is held; it stays pending.
    """
    transfer = locks.lock_transfer(transfer_id)
    wallets = _lock_wallets([transfer])
    now = datetime.now(UTC)
    source, destination = wallets[transfer.source_id], wallets[transfer.destination_id]
    if not _owns(principal, source):
        raise NotOwnTransfer()
    _check_pending(transfer)
    assert transfer.expires_at is not None
    if transfer.expires_at <= now:
        raise TransferTimedOut(expires_at=transfer.expires_at)
    held = to_units8(transfer.amount)
    posted = held if amount is None else read_amount(amount, source.scale)
    if posted > held:
        raise AmountAbovePending(amount=transfer.amount)
    _check_open(source, destination)
    _finish([_Ending(transfer, posted=posted)], wallets, actor=principal.actor, now=now)
    return state_of(transfer)


@retry_on_conflict
@transaction.atomic
def void_transfer(*, transfer_id: UUID, principal: Principal) -> TransferState:
    """End a pending transfer and free its hold.

    For both sides: who pays takes it back, who would be paid declines it.

    Raises:
        TransferNotFound, NotOwnTransfer: there is none, or the caller has no wallet in it.
        TransferFinished: it was posted, voided or timed out before, or had one step.
    """
    transfer = locks.lock_transfer(transfer_id)
    wallets = _lock_wallets([transfer])
    now = datetime.now(UTC)
    if not any(_owns(principal, wallet) for wallet in wallets.values()):
        raise NotOwnTransfer()
    _check_pending(transfer)
    ending = _Ending(transfer, reason=TransferReason.VOIDED)
    _finish([ending], wallets, actor=principal.actor, now=now)
    return state_of(transfer)


def expire_transfers() -> int:
    """Fail the pending transfers whose time is over and free their holds; returns how many."""
    expired = 0
    while chunk := _expire_chunk():
        expired += chunk
    return expired


@retry_on_conflict
@transaction.atomic
def _expire_chunk() -> int:
    now = datetime.now(UTC)
    transfers = locks.lock_due_transfers(now, limit=_CHUNK)
    if transfers:
        endings = [_Ending(one, reason=TransferReason.TIMED_OUT) for one in transfers]
        _finish(endings, _lock_wallets(transfers), actor=_SWEEPER, now=now)
    return len(transfers)


def _finish(
    endings: Sequence[_Ending], wallets: Mapping[int, LockedWallet], *, actor: str, now: datetime
) -> None:
    """Free the holds, book what moves, and write how the transfers ended, also on their rows."""
    batch = LedgerBatch(wallet.row for wallet in wallets.values())
    for ending in endings:
        transfer = ending.transfer
        source = wallets[transfer.source_id]
        batch.set_hold(source.row, -to_units8(transfer.amount))
        if ending.posted:
            check_pay_out([(source.row, -ending.posted)])
            destination = wallets[transfer.destination_id].row
            move(batch, transfer.id, source.row, destination, ending.posted, transfer.memo)
        transfer.status, transfer.reason = ending.status, ending.reason
        transfer.posted_amount, transfer.finished_at = ending.posted_amount, now
    with pipelined() as executor:
        written = write(executor, batch, actor=actor, occurred_at=now)
        updated = executor.execute(_UPDATE, [now, *_columns(endings)])
    written.check()
    assert updated.rowcount == len(endings), f"{updated.rowcount} of {len(endings)} transfers"


def _columns(endings: Sequence[_Ending]) -> list[Any]:
    amounts = [ending.posted_amount for ending in endings]
    return [
        words(ending.transfer.id.hex for ending in endings),
        words(ending.status for ending in endings),
        texts(ending.reason for ending in endings),
        words("NULL" if amount is None else plain(amount) for amount in amounts),
    ]


def _lock_wallets(transfers: Sequence[Transfer]) -> dict[int, LockedWallet]:
    ids = {id for one in transfers for id in (one.source_id, one.destination_id)}
    with pipelined() as executor:
        return lock_wallets(executor, ids)


def _owns(principal: Principal, wallet: LockedWallet) -> bool:
    is_bound_elsewhere = principal.account_id not in (None, wallet.account_id)
    return principal.broker_id == wallet.broker_id and not is_bound_elsewhere


def _check_pending(transfer: Transfer) -> None:
    if transfer.status != TransferStatus.PENDING:
        raise TransferFinished(
            transfer_id=transfer.id, transfer_status=transfer.status, reason=transfer.reason
        )


def _check_open(source: LockedWallet, destination: LockedWallet) -> None:
    for wallet in (source, destination):
        if wallet.status != LedgerAccount.Status.ACTIVE:
            raise WalletNotActive(wallet_id=wallet.row.id, wallet_status=wallet.status)
    for wallet, allowed in ((source, ("ACTIVE",)), (destination, ("ACTIVE", "SUSPENDED"))):
        if wallet.account_status not in allowed:
            raise AccountNotActive(
                account_id=wallet.account_id, account_status=wallet.account_status
            )
