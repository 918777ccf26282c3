"""From a mark that falls to a liquidation, with a living engine; and several sweeps at once."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal as D

import pytest

from brokers.models import TradingAccount
from brokers.services import create_api_key
from common.ids import new_uuid
from common.valkey import get_client, key
from margin.models import Liquidation, MarginCall, Position
from margin.selectors.liquidations import list_accounts_to_liquidate
from margin.services.freezing import freeze_margin_account
from margin.services.fund import deposit_to_fund, withdraw_from_fund
from margin.tests.world import make_perpetual, make_trader, order, set_mark
from orders.services import liquidations
from orders.tasks import sweep_liquidations
from orders.tests.fixtures import Api

_SECONDS_MAX = 10


@pytest.fixture
def trader(engine: object) -> tuple[TradingAccount, Api]:
    """0.1 long from 50,000 on a collateral of 1,000; 100,000 in the fund, and no bids."""
    make_perpetual()
    set_mark(50_000)
    deposit_to_fund(
        asset="USDT", amount=D(100_000), source_id=new_uuid(), actor="test", memo="Paid in"
    )
    _, counter = make_trader("Counter", collateral=50_000)
    account, api = make_trader("Trader", collateral=1_000)
    assert counter.post("orders", order("SELL", 50_000, "0.1")).status_code == 201
    assert api.post("orders", order("BUY", 50_000, "0.1")).json()["status"] == "FILLED"
    return account, api


def wait_for_liquidations(count: int) -> list[Liquidation]:
    deadline = time.monotonic() + _SECONDS_MAX
    while Liquidation.objects.count() < count and time.monotonic() < deadline:
        time.sleep(0.02)
    return list(Liquidation.objects.order_by("id"))


def test_a_mark_that_falls_calls_and_then_liquidates(trader: tuple[TradingAccount, Api]) -> None:
    account, api = trader
    # 550 of equity against 455: a ratio of 83 %.
    set_mark(45_500)
    assert sweep_liquidations() == 0
    assert [call.level for call in MarginCall.objects.all()] == [D("0.8")]

    # 400 against 440.
    set_mark(44_000)
    assert sweep_liquidations() == 1

    (liquidation,) = wait_for_liquidations(1)
    assert liquidation.account_id == account.id
    assert (liquidation.equity_before, liquidation.maintenance_margin_before) == (400, 440)
    shown = api.get(f"liquidations/{liquidation.id}").json()
    assert "TAKEOVER" in [step["kind"] for step in shown["steps"]]
    assert not Position.objects.get(account=account).quantity
    # Nothing is left to ask collateral for, and nobody to liquidate.
    assert sweep_liquidations() == 0
    assert not MarginCall.objects.filter(resolved_at=None).exists()


def test_sweeps_that_saw_the_same_liquidate_once(trader: tuple[TradingAccount, Api]) -> None:
    """Also where Valkey forgets in between what was sent: the engine looks again."""
    account, _ = trader
    set_mark(44_000)
    found = list_accounts_to_liquidate()
    start = threading.Barrier(3)

    def sweep(_: int) -> int:
        start.wait()
        return liquidations.sweep_liquidations(found)

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(sweep, range(3))) == 1
    for _ in range(2):
        get_client().delete(key(f"liquidations:sent:{account.id}:{found[0].asset_id}"))
        assert liquidations.sweep_liquidations(found) == 1

    # All that was sent is worked off when another command is.
    set_mark(44_001)
    assert Liquidation.objects.count() == 1


def test_a_frozen_account_is_liquidated_all_the_same(trader: tuple[TradingAccount, Api]) -> None:
    account, _ = trader
    freeze_margin_account(account_id=account.id, asset="USDT", reason="Looked into", actor="test")
    set_mark(44_000)

    assert sweep_liquidations() == 1

    assert [one.account_id for one in wait_for_liquidations(1)] == [account.id]


def test_both_sides_see_the_trades_that_nobody_ordered(trader: tuple[TradingAccount, Api]) -> None:
    """With little in the fund it takes a part over, and the other side has to close the rest."""
    account, api = trader
    withdraw_from_fund(
        asset="USDT", amount=D(99_750), source_id=new_uuid(), actor="test", memo="Paid out"
    )
    # 400 below zero at 36,000; the fund has 250.
    set_mark(36_000)
    assert sweep_liquidations() == 1
    (liquidation,) = wait_for_liquidations(1)
    steps = api.get(f"liquidations/{liquidation.id}").json()["steps"]
    closed = [step["quantity"] for step in steps if step["kind"] in ("TAKEOVER", "DELEVERAGE")]
    assert len(closed) == 2

    fills = api.get(f"trades/{account.id}", venue="FORCED").json()["results"]
    assert [f"-{fill['quantity']}" for fill in reversed(fills)] == closed
    assert {(fill["side"], fill["order_id"], fill["price"], fill["fee"]) for fill in fills} == {
        ("SELL", None, "40000", "0")
    }
    # What an account has traded is what it holds.
    everything = api.get("fills", account_id=account.id).json()["results"]
    assert sum(D(f["quantity"]) * (1 if f["side"] == "BUY" else -1) for f in everything) == 0
    other = Position.objects.exclude(account__broker=account.broker).get(quantity__lt=0)
    keys = create_api_key(broker_id=other.account.broker_id, scopes=("read",), name="r")
    (bought,) = (
        Api(keys.secret, "/api/v1/").get("fills", venue="forced", side="BUY").json()["results"]
    )
    assert (bought["trade_id"], bought["account_id"]) == (fills[0]["trade_id"], other.account_id)
