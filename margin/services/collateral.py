"""Moving collateral between an account's cash and its margin, in a quote asset of perpetuals.

The engine changes positions only under the lock of the collateral's row, which is taken here before
they are read; so what is free stays free until the commit.
"""

from decimal import Decimal
from uuid import UUID

from django.db import connection, transaction

from brokers.models import Funding, TradingAccount
from common.database import retry_on_conflict
from common.money import from_units8, to_units8
from ledger import locks
from ledger.bulk import ensure_client_accounts
from ledger.calculations import check_amount
from ledger.errors import AccountNotActive
from ledger.services import post_entry
from ledger.types import AccountKind, ClientAccount, Entry, EntryKind, Line
from margin.calculations import margin_state
from margin.errors import (
    InsufficientFreeCollateral,
    MarginAccountFrozen,
    MarginAccountRequired,
    MarkPriceStale,
    NotCollateralAsset,
)
from margin.models import MarginAccount
from margin.selectors.accounts import list_positions
from margin.selectors.exposures import list_marks
from margin.selectors.funding import sum_unbooked
from marketdata.models import Asset
from marketdata.selectors import get_asset, has_perpetuals


@retry_on_conflict
@transaction.atomic
def move_collateral(
    *, account_id: int, asset: str, amount: Decimal, source_id: UUID, actor: str
) -> Entry:
    """Move `amount` of a quote asset from cash into margin; out of it where it is negative.

    Out goes only what is free: equity − initial margin − loss reserve, and never more than the
    collateral, less what fixed payments of funding will take. The same source again books nothing.

    Raises:
        AccountNotFound, UnknownAsset, ValidationFailed: no such account, asset or amount.
        AccountNotActive, MarginAccountRequired: the account is not active, or trades on credit.
        NotCollateralAsset: no perpetual is quoted in it, so none of it goes in.
        WalletNotActive: the wallet is suspended or closed.
        InsufficientFunds: there is less cash than is to go in.
        InsufficientFreeCollateral, MarginAccountFrozen, MarkPriceStale: it does not go out.
    """
    found = get_asset(asset)
    check_amount(abs(amount), found.scale)
    account = locks.lock_trading_account(account_id)
    if account.status != TradingAccount.Status.ACTIVE:
        raise AccountNotActive(account_id=account_id, account_status=account.status)
    if account.funding != Funding.PREFUNDED:
        raise MarginAccountRequired(account_id=account_id)
    if amount > 0 and not has_perpetuals(found.id):
        raise NotCollateralAsset(asset=asset)
    collateral = _lock_collateral(account_id, found.id)
    if amount < 0:
        _check_free(account_id, found, collateral, -to_units8(amount))
    return post_entry(
        kind=EntryKind.COLLATERAL,
        source_kind="collateral",
        source_id=source_id,
        lines=[
            Line(ClientAccount(account_id, found.id, AccountKind.CASH), -amount),
            Line(ClientAccount(account_id, found.id, AccountKind.MARGIN), amount),
        ],
        actor=actor,
    )


def _lock_collateral(account_id: int, asset_id: int) -> int:
    """The collateral in units of 10^-8, locked together with the cash, in the order of their ids.

    Both are made where they are missing.
    """
    kinds = (AccountKind.CASH.value, AccountKind.MARGIN.value)
    keys = [(account_id, asset_id, kind) for kind in kinds]
    with connection.cursor() as cursor:
        ids = ensure_client_accounts(cursor, keys)
        rows = locks.lock_ledger_accounts(cursor, set(ids.values()))
    return rows[ids[keys[1]]].posted


def _check_free(account_id: int, asset: Asset, collateral: int, amount: int) -> None:
    margin_account = MarginAccount.objects.filter(account_id=account_id, asset=asset).first()
    if margin_account is not None and margin_account.is_frozen:
        raise MarginAccountFrozen(account_id=account_id, asset=asset.code)
    positions = [one for one in list_positions(account_id) if one.asset == asset.code]
    if positions:
        _check_marks({one.symbol for one in positions})
    left = collateral - sum_unbooked(account_id, asset.id)
    state = margin_state(left, [one.exposure for one in positions])
    if amount > state.free_collateral:
        raise InsufficientFreeCollateral(
            required=from_units8(amount), available=from_units8(state.free_collateral)
        )


def _check_marks(symbols: set[str]) -> None:
    for mark in list_marks():
        if mark.is_stale and mark.symbol in symbols:
            raise MarkPriceStale(symbol=mark.symbol, as_of=mark.as_of)
