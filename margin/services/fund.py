"""The venue's own money in the insurance fund: what it pays in from outside, and takes out.

Staff do it in the back office by an adjustment of the fund's ledger account, which another person
approves; these services are for programs.
"""

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from django.db import connection, transaction

from common.database import retry_on_conflict
from common.money import from_units8
from ledger import locks
from ledger.bulk import ensure_venue_accounts
from ledger.calculations import check_amount
from ledger.errors import InsufficientFunds
from ledger.services import post_entry
from ledger.types import AccountKind, Entry, EntryKind, Line, VenueAccount
from margin.calculations import margin_state
from margin.selectors.fund import get_fund_account, list_fund_accounts, list_fund_positions
from marketdata.models import Asset
from marketdata.selectors import get_asset

_SOURCE = "insurance"


@retry_on_conflict
@transaction.atomic
def open_funds() -> None:
    """Make the fund's ledger accounts that are missing, so that staff find them."""
    with connection.cursor() as cursor:
        ensure_venue_accounts(cursor, [_key(fund) for fund in list_fund_accounts()])


@retry_on_conflict
@transaction.atomic
def deposit_to_fund(
    *, asset: str, amount: Decimal, source_id: UUID, actor: str, memo: str
) -> Entry:
    """Bring `amount` of a quote asset into the fund, against cash in transit.

    The same source again books nothing.

    Raises:
        UnknownAsset, NoPerpetuals, ValidationFailed: no such asset or amount.
    """
    found = get_asset(asset)
    check_amount(amount, found.scale)
    lines = _lines(get_fund_account(found), amount)
    return _post(EntryKind.DEPOSIT, lines, source_id, actor, memo)


@retry_on_conflict
@transaction.atomic
def withdraw_from_fund(
    *, asset: str, amount: Decimal, source_id: UUID, actor: str, memo: str
) -> Entry:
    """Pay `amount` out of the fund, against cash in transit; no more than it can spare.

    What it has taken over must still be carried: equity stays above the maintenance margin. The
    same source again books nothing.

    Raises:
        UnknownAsset, NoPerpetuals, ValidationFailed: no such asset or amount.
        InsufficientFunds: the fund can spare less.
    """
    found = get_asset(asset)
    check_amount(amount, found.scale)
    fund = get_fund_account(found)
    entry = _post(EntryKind.WITHDRAWAL, _lines(fund, -amount), source_id, actor, memo)
    if entry.is_new:
        _check_spared(fund, found, amount)
    return entry


def _check_spared(fund: VenueAccount, asset: Asset, amount: Decimal) -> None:
    """See that the fund, which is locked, has borne what was taken. Its row knows no limit.

    While it is locked the engine changes none of its positions.
    """
    with connection.cursor() as cursor:
        ids = ensure_venue_accounts(cursor, [_key(fund)])
        (row,) = locks.lock_ledger_accounts(cursor, set(ids.values())).values()
    held = [one.exposure for one in list_fund_positions() if one.asset == asset.code]
    left = margin_state(row.posted, held)
    missing = -min(left.collateral, left.equity - left.maintenance_margin)
    if missing > 0:
        raise InsufficientFunds(required=amount, available=amount - from_units8(missing))


def _key(fund: VenueAccount) -> tuple[str, int, int]:
    return str(fund.kind), fund.asset_id, fund.shard


def _lines(fund: VenueAccount, amount: Decimal) -> list[Line]:
    transit = VenueAccount(AccountKind.TRANSIT, fund.asset_id)
    return [Line(fund, amount), Line(transit, -amount)]


def _post(kind: EntryKind, lines: Sequence[Line], source_id: UUID, actor: str, memo: str) -> Entry:
    return post_entry(
        kind=kind,
        source_kind=_SOURCE,
        source_id=source_id,
        lines=lines,
        actor=actor,
        memo=memo,
    )
