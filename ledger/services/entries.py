"""Writes of the ledger: book an entry, deposit, withdraw, reverse. The engine books in bulk.

Every service owns its transaction and books through `ledger.bulk`, so there is one code path for
rows. The cause of an entry is `(source_kind, source_id)`: booked again it answers the first entry.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from brokers.errors import AccountNotFound
from brokers.models import TradingAccount
from common.database import retry_on_conflict
from common.ids import new_uuid
from common.limits import LINE_LENGTH_MAX
from common.money import from_units8
from common.texts import check_text
from ledger import locks
from ledger.batch import LedgerBatch, LedgerRow
from ledger.bulk import ensure_client_accounts, ensure_venue_accounts, write
from ledger.bulk.sql import Cursor
from ledger.calculations import check_amount, checked_units8, net_by_account
from ledger.errors import (
    AccountNotActive,
    EntryNotReversible,
    InsufficientFunds,
    SourceBookedDifferently,
    UnknownEntry,
    WalletNotActive,
)
from ledger.models import JournalEntry, LedgerAccount
from ledger.selectors import lines_of_entry
from ledger.selectors.balances import find_elsewhere
from ledger.types import (
    CLIENT_ENTRY_KINDS,
    PAY_OUT_KINDS,
    AccountKind,
    ClientAccount,
    Entry,
    EntryKind,
    Line,
    VenueAccount,
)
from marketdata.models import Asset
from marketdata.selectors import get_asset, get_asset_scales

# Collateral goes back as far as it is free: `margin.services.collateral` knows. What funding and
# liquidations book belongs to records that a reversal would contradict.
_IRREVERSIBLE = (
    EntryKind.TRADE,
    EntryKind.REVERSAL,
    EntryKind.COLLATERAL,
    EntryKind.FUNDING,
    EntryKind.LIQUIDATION,
    EntryKind.BAD_DEBT,
)


@retry_on_conflict
@transaction.atomic
def post_entry(
    *,
    kind: EntryKind,
    source_kind: str,
    source_id: UUID,
    lines: Sequence[Line],
    actor: str,
    memo: str = "",
    occurred_at: datetime | None = None,
    freed: Sequence[Line] = (),
    entry_id: UUID | None = None,
) -> Entry:
    """Book one entry, under locks on its accounts; missing ones are made.

    What is `freed` was held on accounts of the entry, and is held no more. The same source again
    answers the first entry and books nothing. `entry_id` is for the entry of a trade, which takes
    the trade's id.

    Raises:
        ValidationFailed: an amount has more decimals than its asset, or the memo is no text.
        AccountNotFound: a line names a trading account that there is not.
        WalletNotActive: a wallet is suspended or closed, and the entry is of `CLIENT_ENTRY_KINDS`.
        InsufficientFunds: an account that pays has not enough; credit counts for trades and
            corrections, and never for `PAY_OUT_KINDS`. Nothing is changed.
        SourceBookedDifferently: the source was booked before with other lines.
    """
    check_text("memo", memo, max_length=LINE_LENGTH_MAX)
    amounts = _amounts_in_units8(lines)
    now = datetime.now(UTC)
    entry_id = entry_id or new_uuid()
    with connection.cursor() as cursor:
        claimed = locks.claim_source(
            cursor, kind=source_kind, source_id=source_id, entry_id=entry_id
        )
        if claimed != entry_id:
            return _first_entry(claimed, kind, lines)
        rows = _lock_rows_of(cursor, [line.account for line in lines])
        batch = LedgerBatch(rows.values())
        for line, amount in zip(freed, _amounts_in_units8(freed), strict=True):
            batch.set_hold(rows[line.account], -amount)
        pairs = [(rows[line.account], amount) for line, amount in zip(lines, amounts, strict=True)]
        if kind in CLIENT_ENTRY_KINDS:
            _check_wallets_active(rows.values())
        check_funds(pairs)
        if kind in PAY_OUT_KINDS:
            clients = {row for account, row in rows.items() if isinstance(account, ClientAccount)}
            check_pay_out([(row, amount) for row, amount in pairs if row in clients])
        batch.post(entry_id.bytes, kind, source_kind, source_id.bytes, pairs, memo=memo)
        write(cursor, batch, actor=actor, occurred_at=occurred_at or now).check()
    return Entry(entry_id, kind, source_kind, source_id, occurred_at or now, is_new=True)


@retry_on_conflict
@transaction.atomic
def deposit(
    *,
    account_id: int,
    asset: str,
    amount: Decimal,
    source_id: UUID,
    actor: str,
    memo: str = "",
    kind: AccountKind | None = None,
) -> Entry:
    """Bring `amount` of an asset in from outside, against cash in transit.

    `kind` is the client's ledger account: by itself CASH, and SECURITY for a security.

    Raises:
        AccountNotFound, UnknownAsset, ValidationFailed: no such account, asset or amount.
        AccountNotActive: the account is closed.
    """
    found = get_asset(asset)
    check_amount(amount, found.scale)
    account = locks.lock_trading_account(account_id)
    if account.status == TradingAccount.Status.CLOSED:
        raise AccountNotActive(account_id=account_id, account_status=account.status)
    return post_entry(
        kind=EntryKind.DEPOSIT,
        source_kind="deposit",
        source_id=source_id,
        lines=_transit_lines(account_id, found, kind, amount),
        actor=actor,
        memo=memo,
    )


@retry_on_conflict
@transaction.atomic
def withdraw(
    *,
    account_id: int,
    asset: str,
    amount: Decimal,
    source_id: UUID,
    actor: str,
    memo: str = "",
    is_held: bool = False,
) -> Entry:
    """Pay `amount` of an asset out, against cash in transit: never what is held, nor collateral.

    With `is_held` the amount was set aside for this withdrawal: its hold is freed in the same step.

    Raises:
        AccountNotFound, UnknownAsset, ValidationFailed: no such account, asset or amount.
        AccountNotActive: the account is suspended or closed.
        InsufficientFunds: more than is posted and not held; credit does not count.
    """
    found = get_asset(asset)
    check_amount(amount, found.scale)
    account = locks.lock_trading_account(account_id)
    if account.status != TradingAccount.Status.ACTIVE:
        raise AccountNotActive(account_id=account_id, account_status=account.status)
    lines = _transit_lines(account_id, found, None, -amount)
    return post_entry(
        kind=EntryKind.WITHDRAWAL,
        source_kind="withdrawal",
        source_id=source_id,
        lines=lines,
        actor=actor,
        memo=memo,
        freed=[Line(lines[0].account, amount)] if is_held else (),
    )


@retry_on_conflict
@transaction.atomic
def reverse_entry(*, entry_id: UUID, reason: str, actor: str) -> Entry:
    """Correct a mistake: book the entry's lines with the opposite sign. Once for an entry.

    Raises:
        UnknownEntry: there is no such entry.
        EntryNotReversible: it is a trade, a reversal or a move of collateral.
        InsufficientFunds: what was booked has been spent since.
    """
    check_text("reason", reason, max_length=LINE_LENGTH_MAX, min_length=1)
    check_reversible(entry_id)
    return post_entry(
        kind=EntryKind.REVERSAL,
        source_kind="reversal",
        source_id=entry_id,
        lines=[Line(line.account, -line.amount) for line in lines_of_entry(entry_id)],
        actor=actor,
        memo=reason,
    )


def check_reversible(entry_id: UUID) -> None:
    """See that the entry is of a kind that can be reversed here.

    Raises:
        UnknownEntry: there is no such entry.
        EntryNotReversible: it is a trade, a reversal or a move of collateral.
    """
    entry = JournalEntry.objects.filter(id=entry_id).first()
    if entry is None:
        raise UnknownEntry(entry_id=entry_id)
    if not is_reversible(entry):
        raise EntryNotReversible(entry_id=entry_id, entry_kind=entry.kind)


def is_reversible(entry: JournalEntry) -> bool:
    """Whether it is of a kind that is reversed here."""
    return entry.kind not in _IRREVERSIBLE


def _transit_lines(
    account_id: int, asset: Asset, kind: AccountKind | None, amount: Decimal
) -> list[Line]:
    if kind is None:
        is_security = asset.kind == Asset.Kind.SECURITY
        kind = AccountKind.SECURITY if is_security else AccountKind.CASH
    return [
        Line(ClientAccount(account_id, asset.id, kind), amount),
        Line(VenueAccount(AccountKind.TRANSIT, asset.id), -amount),
    ]


def _amounts_in_units8(lines: Sequence[Line]) -> list[int]:
    scales = get_asset_scales({line.account.asset_id for line in lines})
    return [checked_units8(line.amount, scales[line.account.asset_id]) for line in lines]


def _lock_rows_of(
    cursor: Cursor, accounts: Sequence[ClientAccount | VenueAccount]
) -> dict[ClientAccount | VenueAccount, LedgerRow]:
    """The ledger accounts, made where missing, locked in the order of their ids."""
    clients = {
        (account.trading_account_id, account.asset_id, str(account.kind)): account
        for account in accounts
        if isinstance(account, ClientAccount)
    }
    venues = {
        (str(account.kind), account.asset_id, account.shard): account
        for account in accounts
        if isinstance(account, VenueAccount)
    }
    client_ids = ensure_client_accounts(cursor, clients)
    if len(client_ids) < len(clients):
        raise AccountNotFound()
    venue_ids = ensure_venue_accounts(cursor, venues)
    rows = locks.lock_ledger_accounts(cursor, {*client_ids.values(), *venue_ids.values()})
    return {account: rows[client_ids[key]] for key, account in clients.items()} | {
        account: rows[venue_ids[key]] for key, account in venues.items()
    }


def _check_wallets_active(rows: Iterable[LedgerRow]) -> None:
    for row in rows:
        if row.status != LedgerAccount.Status.ACTIVE:
            raise WalletNotActive(wallet_id=row.id, wallet_status=row.status)


def check_funds(pairs: Sequence[tuple[LedgerRow, int]]) -> None:
    """See that locked accounts can bear the sum of these changes, in units8.

    Raises:
        InsufficientFunds: one has not enough that is posted and not held.
    """
    for row, amount in _net(pairs).items():
        if amount < 0 and not row.can_spend(-amount):
            raise InsufficientFunds(
                required=from_units8(-amount),
                available=from_units8(row.available + (row.limit or 0)),
                **_elsewhere(row),
            )


def check_pay_out(pairs: Sequence[tuple[LedgerRow, int]]) -> None:
    """Check that locked accounts of clients can pay the sum of these changes without credit.

    Raises:
        InsufficientFunds: one has less that is posted and not held.
    """
    for row, amount in _net(pairs).items():
        if amount < 0 and not row.can_pay_out(-amount):
            raise InsufficientFunds(
                required=from_units8(-amount),
                available=from_units8(row.available),
                **_elsewhere(row),
            )


def _elsewhere(row: LedgerRow) -> dict[str, Any]:
    """Where the account has more of what it lacks: held here, or on its other account."""
    held = {"held": from_units8(row.held)} if row.held else {}
    return held | find_elsewhere(row.id)


def _net(pairs: Sequence[tuple[LedgerRow, int]]) -> dict[LedgerRow, int]:
    net: dict[LedgerRow, int] = {}
    for row, amount in pairs:
        net[row] = net.get(row, 0) + amount
    return net


def _first_entry(entry_id: UUID, kind: EntryKind, lines: Sequence[Line]) -> Entry:
    """The entry that booked the source before, if it is the same one."""
    entry = JournalEntry.objects.get(id=entry_id)
    if entry.kind != kind or net_by_account(lines) != net_by_account(lines_of_entry(entry_id)):
        raise SourceBookedDifferently(entry_id=entry_id)
    return Entry(
        entry_id,
        EntryKind(entry.kind),
        entry.source_kind,
        entry.source_id,
        entry.occurred_at,
        is_new=False,
    )
