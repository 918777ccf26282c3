"""Freezing by staff: an account that places no orders and takes no collateral out.

Open orders stay, and liquidation goes its way. The engine reads what is frozen under the lock of
the trading account, which is held here too: what it took before is done, what comes later is
refused `margin_account_frozen`.
"""

from django.db import transaction
from django.utils import timezone

from brokers.models import Funding
from brokers.types import HOUSE_BROKER_ID
from common.database import retry_on_conflict
from common.limits import LINE_LENGTH_MAX
from common.texts import check_text
from ledger import locks
from margin.errors import (
    HouseAccount,
    MarginAccountFrozenAlready,
    MarginAccountNotFrozen,
    MarginAccountRequired,
)
from margin.models import FreezeChange, MarginAccount
from marketdata.models import Asset
from marketdata.selectors import get_asset
from oversight.services.records import record


@retry_on_conflict
@transaction.atomic
def freeze_margin_account(*, account_id: int, asset: str, reason: str, actor: str) -> MarginAccount:
    """Freeze an account's collateral in a quote asset, and keep who did it and why.

    Raises:
        AccountNotFound, UnknownAsset: no such account or asset.
        ValidationFailed: no reason is given, or it is no text.
        HouseAccount, MarginAccountRequired: the account is the venue's own, or trades on credit.
        MarginAccountFrozenAlready: it is frozen; nothing is changed.
    """
    found, margin_account = _take_up(account_id, asset, reason)
    if margin_account.is_frozen:
        raise MarginAccountFrozenAlready(
            account_id=account_id, asset=asset, reason=margin_account.frozen_reason
        )
    margin_account.is_frozen, margin_account.frozen_reason = True, reason.strip()
    _keep(margin_account, found, reason, actor)
    return margin_account


@retry_on_conflict
@transaction.atomic
def unfreeze_margin_account(
    *, account_id: int, asset: str, reason: str, actor: str
) -> MarginAccount:
    """Let the account trade and move its collateral again, and keep who said so and why.

    Raises:
        AccountNotFound, UnknownAsset: no such account or asset.
        ValidationFailed: no reason is given, or it is no text.
        HouseAccount, MarginAccountRequired: the account is the venue's own, or trades on credit.
        MarginAccountNotFrozen: it is not frozen; nothing is changed.
    """
    found, margin_account = _take_up(account_id, asset, reason)
    if not margin_account.is_frozen:
        raise MarginAccountNotFrozen(account_id=account_id, asset=asset)
    margin_account.is_frozen, margin_account.frozen_reason = False, ""
    _keep(margin_account, found, reason, actor)
    return margin_account


def _take_up(account_id: int, asset: str, reason: str) -> tuple[Asset, MarginAccount]:
    """The asset and the margin side of the account, which is locked; made if it is missing."""
    check_text("reason", reason, max_length=LINE_LENGTH_MAX, min_length=1)
    found = get_asset(asset)
    account = locks.lock_trading_account(account_id)
    if account.broker_id == HOUSE_BROKER_ID:
        raise HouseAccount(account_id=account_id)
    if account.funding != Funding.PREFUNDED:
        raise MarginAccountRequired(account_id=account_id)
    margin_account, _ = MarginAccount.objects.get_or_create(account_id=account_id, asset=found)
    return found, margin_account


def _keep(margin_account: MarginAccount, asset: Asset, reason: str, actor: str) -> None:
    margin_account.save(update_fields=["is_frozen", "frozen_reason", "updated_at"])
    record(
        action="collateral.frozen" if margin_account.is_frozen else "collateral.unfrozen",
        target=margin_account,
        before={"is_frozen": not margin_account.is_frozen},
        after={"is_frozen": margin_account.is_frozen, "account": margin_account.account_id},
        reason=reason.strip(),
        actor=actor,
    )
    FreezeChange.objects.create(
        account_id=margin_account.account_id,
        asset=asset,
        is_frozen=margin_account.is_frozen,
        reason=reason.strip(),
        actor=actor,
        changed_at=timezone.now(),
    )
