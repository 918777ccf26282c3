"""Looking after the insurance fund: it closes what it took over, and tells when it is overdrawn."""

import logging

from brokers.services.house import get_insurance_account_id
from common.errors import VenueUnavailable
from common.ids import new_uuid
from common.money import plain
from ledger.selectors.funds import list_fund_balances
from ledger.services.alerts import raise_alert, resolve_alert
from ledger.types import AccountKind, AlertSeverity
from margin.selectors.fund import list_fund_positions
from marketdata.selectors import get_instrument_spec
from orders import gateway
from orders.commands import ReduceFund

logger = logging.getLogger(__name__)

FUND_OVERDRAWN = "insurance_fund_overdrawn"


def reduce_fund_positions() -> int:
    """Ask the engines to close what the fund holds, as far as their books pay the mark.

    Returns for how many positions it was asked; a shard that does not serve waits.

    Raises:
        EngineUnavailable: there is no queue.
    """
    asked = 0
    for position in list_fund_positions():
        instrument = get_instrument_spec(position.symbol)
        try:
            gateway.check_shard_open(instrument.shard)
        except VenueUnavailable as error:
            logger.warning("the fund's %s waits: %s", position.symbol, error)
            continue
        command = ReduceFund(new_uuid().bytes, "", instrument.id, get_insurance_account_id())
        gateway.send(command, instrument.shard)
        asked += 1
    return asked


def watch_fund() -> int:
    """Raise an alert for each asset in which the fund is below zero; returns how many there are."""
    overdrawn = 0
    for fund in list_fund_balances(AccountKind.INSURANCE):
        if fund.balance >= 0:
            resolve_alert(kind=FUND_OVERDRAWN, subject=fund.asset)
            continue
        overdrawn += 1
        raise_alert(
            kind=FUND_OVERDRAWN,
            severity=AlertSeverity.CRITICAL,
            message=f"The insurance fund is {plain(-fund.balance)} {fund.asset} below zero.",
            subject=fund.asset,
            facts={"balance": plain(fund.balance)},
        )
    return overdrawn
