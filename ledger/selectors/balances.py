"""Balances of clients and lines of entries, as plain values."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from ledger.models import LedgerAccount, Posting
from ledger.types import AccountKind, Balance, ClientAccount, Line, VenueAccount
from marketdata.models import Asset


def list_balances(account_id: int) -> list[Balance]:
    """The ledger accounts of a trading account, by asset and kind."""
    rows = (
        LedgerAccount.objects.filter(trading_account_id=account_id)
        .select_related("asset")
        .order_by("asset__code", "kind")
    )
    return [_balance(row) for row in rows]


def find_balance(account_id: int, asset: str, kind: AccountKind) -> Balance | None:
    """One ledger account of a trading account; None before it was first used."""
    row = (
        LedgerAccount.objects.filter(trading_account_id=account_id, asset__code=asset, kind=kind)
        .select_related("asset")
        .first()
    )
    return None if row is None else _balance(row)


def get_client_kinds(asset_ids: set[int]) -> dict[int, AccountKind]:
    """In which kind of account a client has each asset: securities apart, the rest as cash."""
    kinds = Asset.objects.filter(id__in=asset_ids).values_list("id", "kind")
    return {
        asset_id: AccountKind.SECURITY if kind == Asset.Kind.SECURITY else AccountKind.CASH
        for asset_id, kind in kinds
    }


def get_balances_after(entry_id: UUID, account_id: int) -> dict[int, Decimal]:
    """What a trading account had of each asset right after an entry that moved it, by asset id."""
    postings = Posting.objects.filter(
        entry_id=entry_id, ledger_account__trading_account_id=account_id
    )
    return dict(postings.values_list("asset_id", "balance_after"))


def lines_of_entry(entry_id: UUID) -> list[Line]:
    """What an entry booked, as lines that could be booked again."""
    return [
        Line(account_of(posting.ledger_account), posting.amount)
        for posting in Posting.objects.filter(entry_id=entry_id)
        .select_related("ledger_account")
        .order_by("id")
    ]


def account_of(row: LedgerAccount) -> ClientAccount | VenueAccount:
    """The ledger account as a line of an entry names it."""
    kind = AccountKind(row.kind)
    if row.trading_account_id is None:
        return VenueAccount(kind, row.asset_id, row.shard)
    return ClientAccount(row.trading_account_id, row.asset_id, kind)


def _balance(row: LedgerAccount) -> Balance:
    return Balance(
        ledger_account_id=row.id,
        asset=row.asset.code,
        kind=AccountKind(row.kind),
        posted_balance=row.posted_balance,
        held_amount=row.held_amount,
        overdraft_limit=row.overdraft_limit,
        version=row.version,
    )


def find_elsewhere(ledger_account_id: int) -> dict[str, Any]:
    """What a client has available on its other account of the same asset, as a fact of a refusal.

    `in_collateral`, or `in_cash`; amounts of zero are left out.
    """
    row = LedgerAccount.objects.get(id=ledger_account_id)
    if row.trading_account_id is None:
        return {}
    others = LedgerAccount.objects.filter(
        trading_account=row.trading_account_id, asset=row.asset_id
    ).exclude(id=row.id)
    return {
        "in_collateral" if one.kind == AccountKind.MARGIN else "in_cash": one.posted_balance
        - one.held_amount
        for one in others
        if one.posted_balance > one.held_amount
    }
