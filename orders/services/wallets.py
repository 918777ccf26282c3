"""Closes wallets that no open order would debit or credit."""

from django.db import transaction
from django.db.models import Q

from common.database import retry_on_conflict
from ledger import locks
from ledger.errors import WalletInUse
from ledger.services.wallets import close_wallet
from ledger.types import Wallet
from marketdata.models import Instrument
from orders.models import Order

_OPEN = (*Order.OPEN_STATUSES, Order.Status.PENDING)


@retry_on_conflict
@transaction.atomic
def close_unused_wallet(*, wallet_id: int) -> Wallet:
    """Close an active wallet that is empty and that nothing open uses.

    An order that an engine accepts at the same moment is canceled when it is met.

    Raises:
        WalletNotFound, WalletNotActive, WalletNotEmpty: as `close_wallet`.
        WalletInUse: an open order, pending transfer, open request or collateral uses it.
    """
    wallet = locks.lock_wallet(wallet_id)
    closed = close_wallet(wallet_id=wallet_id)
    # Of perpetuals only the collateral is in the currency.
    open_orders = (
        Order.objects.filter(
            Q(instrument__base_asset=wallet.asset_id) | Q(instrument__quote_asset=wallet.asset_id),
            account=wallet.trading_account_id,
            status__in=_OPEN,
        )
        .exclude(instrument__kind=Instrument.Kind.PERPETUAL)
        .count()
    )
    if open_orders:
        raise WalletInUse(wallet_id=wallet_id, open_orders=open_orders)
    return closed
