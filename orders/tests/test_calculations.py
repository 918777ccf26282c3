"""Rules of orders in numbers."""

import pytest

from brokers.models import Broker, TradingAccount
from orders.calculations import refused_reason
from orders.types import Reason

Account, Firm = TradingAccount.Status, Broker.Status


@pytest.mark.parametrize(
    ("account", "broker", "reason"),
    [
        (Account.ACTIVE, Firm.ACTIVE, None),
        (Account.SUSPENDED, Firm.ACTIVE, Reason.ACCOUNT_SUSPENDED),
        (Account.CLOSED, Firm.ACTIVE, Reason.ACCOUNT_CLOSED),
        # The broker's state comes first: it is the one that a client cannot change.
        (Account.ACTIVE, Firm.SUSPENDED, Reason.BROKER_SUSPENDED),
        (Account.CLOSED, Firm.SUSPENDED, Reason.BROKER_SUSPENDED),
    ],
)
def test_who_may_not_trade_is_told_why(account: str, broker: str, reason: Reason | None) -> None:
    assert refused_reason(account_status=account, broker_status=broker) == reason


@pytest.mark.parametrize("account", [one for one in Account if one != Account.ACTIVE])
def test_only_an_active_account_trades(account: str) -> None:
    assert refused_reason(account_status=account, broker_status=Firm.ACTIVE) is not None


@pytest.mark.parametrize("broker", [one for one in Firm if one != Firm.ACTIVE])
def test_only_accounts_of_an_active_broker_trade(broker: str) -> None:
    assert refused_reason(account_status=Account.ACTIVE, broker_status=broker) is not None
