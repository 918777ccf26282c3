"""Rules of orders in numbers."""

from decimal import Decimal

import pytest

from brokers.models import Broker, TradingAccount
from orders.calculations import impact_price, refused_reason
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


@pytest.mark.parametrize(
    ("offers", "price"),
    [
        # Half of 1,000 from each of two.
        ([("100", 5, "a"), ("110", 5, "b")], "104.76190476"),
        # What is beyond the notional does not count, nor what is beyond half of one party.
        ([("100", 500, "a"), ("125", 500, "b"), ("900", 500, "c")], "111.11111111"),
        ([("100", 2, "a"), ("100", 50, "a"), ("125", 50, "b")], "111.11111111"),
        ([("100", 50, "a"), ("125", 2, "b"), ("200", 50, "c")], "121.21212121"),
        # One alone makes no price, nor do two who offer too little.
        ([("100", 10**9, "a")], None),
        ([("100", 10**9, "a"), ("100", 4, "b")], None),
        ([], None),
    ],
)
def test_an_impact_price_is_never_of_one_party(
    offers: list[tuple[str, int, str]], price: str | None
) -> None:
    found = impact_price(
        [(Decimal(at), Decimal(quantity), party) for at, quantity, party in offers], Decimal(1_000)
    )
    assert found == (None if price is None else Decimal(price))


def test_an_impact_price_is_exact_for_large_and_small_numbers() -> None:
    small, large = Decimal("0.00000001"), Decimal(10) ** 12
    assert impact_price([(small, large * 10**8, 1), (small, large * 10**8, 2)], large) == small
    assert impact_price([(large, small, 1), (large, small, 2)], 2 * large * small) == large
