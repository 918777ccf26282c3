"""Whether a transfer goes through, and how it changes the balances. Pure: no database, no clock.

A refusal is of one of two kinds. What is malformed is an `ExchangeError` and is not stored. What is
refused for the state of wallets, accounts or money is a `Refusal` and is stored as FAILED.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from common.errors import FieldError, ValidationFailed
from common.money import from_units8
from ledger.batch import LedgerBatch, LedgerRow
from ledger.bulk import LockedWallet
from ledger.calculations import checked_units8
from ledger.errors import (
    AccountNotActive,
    CurrencyMismatch,
    InsufficientFunds,
    NotOwnWallet,
    RecipientNotFound,
    SameWallet,
    StaleVersion,
    WalletNotActive,
    WalletNotFound,
)
from ledger.services.transfers.orders import TransferOrder
from ledger.types import EntryKind, TransferReason

SOURCE_KIND = "transfer"
_ACTIVE = "ACTIVE"
_CLOSED = "CLOSED"


@dataclass(frozen=True, slots=True)
class Terms:
    """A well-formed transfer: whose rows it changes, and by how much in units8."""

    order: TransferOrder
    source: LockedWallet
    destination: LockedWallet
    amount: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a well-formed transfer fails, with the figures."""

    reason: TransferReason
    facts: Mapping[str, Decimal | int]


def read_terms(
    order: TransferOrder, destination_id: int | None, wallets: Mapping[int, LockedWallet]
) -> Terms:
    """The terms of a transfer to the wallet `destination_id` (None: the recipient is not known).

    Raises:
        WalletNotFound, NotOwnWallet, RecipientNotFound, SameWallet, CurrencyMismatch: its wallets.
        ValidationFailed: its amount is zero, negative, too large or too fine.
        StaleVersion: the source is not at the expected version.
        WalletNotActive, AccountNotActive, InsufficientFunds: of one that names an email address.
    """
    source = wallets.get(order.source_id)
    if source is None:
        raise WalletNotFound(wallet_id=order.source_id)
    if not order.is_owner_of(broker_id=source.broker_id, account_id=source.account_id):
        raise NotOwnWallet(wallet_id=order.source_id)
    if order.to_email is not None:
        _check_own_side(order, source)
    if destination_id is None:
        raise RecipientNotFound()
    destination = wallets.get(destination_id)
    if destination is None:
        raise WalletNotFound(wallet_id=destination_id)
    if destination_id == order.source_id:
        raise SameWallet(wallet_id=destination_id)
    if source.row.asset_id != destination.row.asset_id:
        raise CurrencyMismatch(from_currency=source.currency, to_currency=destination.currency)
    amount = read_amount(order.amount, source.scale)
    if order.expected_version not in (None, source.row.version):
        raise StaleVersion(wallet_id=order.source_id, version=source.row.version)
    return Terms(order, source, destination, amount)


def _check_own_side(order: TransferOrder, source: LockedWallet) -> None:
    """See that the wallet that pays allows a transfer to an email address.

    What is refused for the sender's own sake must not depend on whether the address is known, so it
    comes first and is not stored. Of linked transfers the ones before may bring the money.

    Raises:
        ValidationFailed, StaleVersion: as `read_terms`.
        WalletNotActive, AccountNotActive, InsufficientFunds: the sender's side does not pay.
    """
    amount = read_amount(order.amount, source.scale)
    if order.expected_version not in (None, source.row.version):
        raise StaleVersion(wallet_id=order.source_id, version=source.row.version)
    if source.status != _ACTIVE:
        raise WalletNotActive(wallet_id=order.source_id, wallet_status=source.status)
    if source.account_status != _ACTIVE:
        raise AccountNotActive(account_id=source.account_id, account_status=source.account_status)
    if order.linked_id is None and not source.row.can_pay_out(amount):
        raise InsufficientFunds(
            required=from_units8(amount), available=from_units8(source.row.available)
        )


def read_amount(amount: Decimal, scale: int) -> int:
    """`amount` in units8.

    Raises:
        ValidationFailed: it is zero, negative, too large or finer than the currency.
    """
    if not amount.is_finite():
        raise _wrong_amount("invalid", "Must be a number.")
    if amount == 0:
        raise _wrong_amount("zero", "Nothing is transferred by a transfer of zero.")
    if amount < 0:
        raise _wrong_amount("negative", "Must be above zero: money is sent, never fetched.")
    return checked_units8(amount, scale)


def find_refusal(linked: Sequence[Terms]) -> tuple[int, Refusal] | None:
    """The first of these that fails, as they are done one after the other, and why; or None."""
    gained: dict[int, int] = {}
    for index, terms in enumerate(linked):
        source, destination = terms.source.row, terms.destination.row
        reason = find_closed_side(terms.source, terms.destination)
        if reason is not None:
            return index, reason
        free = gained.get(source.id, 0)
        if not source.can_pay_out(terms.amount - free):
            return index, Refusal(
                TransferReason.INSUFFICIENT_FUNDS,
                {
                    "required": from_units8(terms.amount),
                    "available": from_units8(source.available + free),
                },
            )
        gained[source.id] = free - terms.amount
        if terms.order.timeout_seconds is None:
            gained[destination.id] = gained.get(destination.id, 0) + terms.amount
    return None


def find_closed_side(source: LockedWallet, destination: LockedWallet) -> Refusal | None:
    """Why one of the two sends or takes nothing; a suspended account still takes, as deposits."""
    for wallet in (source, destination):
        facts = {"wallet_id": wallet.row.id}
        if wallet.status != _ACTIVE:
            is_closed = wallet.status == _CLOSED
            return Refusal(
                TransferReason.WALLET_CLOSED if is_closed else TransferReason.WALLET_SUSPENDED,
                facts,
            )
        if wallet.account_status == _CLOSED:
            return Refusal(TransferReason.ACCOUNT_CLOSED, facts)
    if source.account_status != _ACTIVE:
        return Refusal(TransferReason.ACCOUNT_SUSPENDED, {"wallet_id": source.row.id})
    return None


def apply(batch: LedgerBatch, terms: Terms) -> None:
    """Book a transfer of one step, or hold the amount of one of two."""
    if terms.order.timeout_seconds is not None:
        batch.set_hold(terms.source.row, terms.amount)
    else:
        move(batch, terms.order.id, terms.source.row, terms.destination.row, terms.amount,
             terms.order.memo)  # fmt: skip


def move(
    batch: LedgerBatch,
    transfer_id: UUID,
    source: LedgerRow,
    destination: LedgerRow,
    amount: int,
    memo: str,
) -> None:
    """Book the entry of a transfer: it has the transfer's id, which keeps it single."""
    id_bytes = transfer_id.bytes
    lines = [(source, -amount), (destination, amount)]
    batch.post(id_bytes, EntryKind.TRANSFER, SOURCE_KIND, id_bytes, lines, memo=memo)


def _wrong_amount(code: str, detail: str) -> ValidationFailed:
    return ValidationFailed(errors=[FieldError("amount", code, detail)])
