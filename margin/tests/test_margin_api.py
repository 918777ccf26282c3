"""Positions, collateral and the margin report over HTTP."""

from typing import Any

import pytest
from django.test import override_settings

from brokers.models import TradingAccount
from brokers.services import create_api_key
from margin.tests.world import make_perpetual, make_trader, order, set_mark
from orders.tests.fixtures import Api

_ADMIN_KEY = "venue-admin-key-of-the-tests-0123456789"


@pytest.fixture
def trader(engine: object) -> tuple[TradingAccount, Api]:
    """The worked example: 0.1 at 50,000 on a collateral of 1,000."""
    make_perpetual()
    set_mark(50_000)
    _, counter = make_trader("Counter", collateral=50_000)
    account, api = make_trader("Trader", collateral=1_000, cash=500)
    assert counter.post("orders", order("SELL", 50_000, "0.1")).status_code == 201
    assert api.post("orders", order("BUY", 50_000, "0.1")).json()["status"] == "FILLED"
    return account, api


def test_the_worked_example_reads_as_it_is_written(trader: tuple[TradingAccount, Api]) -> None:
    account, api = trader
    answer = api.get(f"positions/{account.id}")
    assert answer.status_code == 200
    [position], [collateral] = answer.json()["positions"], answer.json()["accounts"]

    assert position == {
        "symbol": "BTC-PERP", "asset": "USDT", "quantity": "0.1", "entry_price": "50000",
        "mark_price": "50000", "notional": "5000", "cost_basis": "5000", "unrealized_pnl": "0",
        "realized_pnl": "0", "initial_margin": "1000", "maintenance_margin": "500",
        "liquidation_price": "44444.44444444", "bankruptcy_price": "40000", "open_buy": "0",
        "open_sell": "0", "loss_reserve": "0",
    }  # fmt: skip
    assert collateral == {
        "asset": "USDT", "collateral": "1000", "unrealized_pnl": "0", "equity": "1000",
        "initial_margin": "1000", "maintenance_margin": "500", "loss_reserve": "0",
        "free_collateral": "0", "utilization": "1", "margin_ratio": "0.5", "is_bankrupt": False,
        "should_be_liquidated": False, "risk_level": "SAFE", "is_frozen": False,
    }  # fmt: skip
    set_mark(51_000)
    moved = api.get(f"positions/{account.id}").json()
    assert moved["positions"][0]["unrealized_pnl"] == "100"
    assert moved["accounts"][0]["equity"] == "1100"
    assert moved["accounts"][0]["initial_margin"] == "1020"


def test_an_account_below_its_maintenance_margin_says_so(
    trader: tuple[TradingAccount, Api],
) -> None:
    account, api = trader
    set_mark(44_444)
    [collateral] = api.get(f"margin/accounts/{account.id}").json()["accounts"]
    assert (collateral["equity"], collateral["should_be_liquidated"]) == ("444.4", True)
    set_mark(39_000)
    [collateral] = api.get(f"margin/accounts/{account.id}").json()["accounts"]
    assert (collateral["is_bankrupt"], collateral["margin_ratio"]) == (True, None)


def test_an_account_without_positions_shows_its_collateral(engine: object) -> None:
    make_perpetual()
    account, api = make_trader("Idle", collateral=7)
    document = api.get(f"positions/{account.id}").json()

    assert document["positions"] == []
    assert document["accounts"][0]["free_collateral"] == "7"


def test_collateral_moves_and_a_key_moves_it_once(trader: tuple[TradingAccount, Api]) -> None:
    account, api = trader
    path = f"margin/accounts/{account.id}/collateral"
    answer = api.post(path, {"asset": "usdt", "amount": "400", "direction": "in"})
    assert answer.status_code == 201
    assert answer.json()["accounts"][0]["collateral"] == "1400"
    refusal = api.post(path, {"asset": "USDT", "amount": "400.000001", "direction": "OUT"})
    assert refusal.status_code == 422
    assert refusal.json()["code"] == "insufficient_free_collateral"
    assert (refusal.json()["required"], refusal.json()["available"]) == ("400.000001", "400")
    assert api.post(path, {"asset": "USDT", "amount": -1, "direction": "OUT"}).status_code == 422
    assert api.post(path, {"asset": "USDT", "amount": 1, "direction": "UP"}).status_code == 422


def test_others_see_nothing(trader: tuple[TradingAccount, Api]) -> None:
    account, _ = trader
    _, stranger = make_trader("Stranger", collateral=1)
    for path in ("positions", "margin/accounts"):
        assert stranger.get(f"{path}/{account.id}").status_code == 403
        assert stranger.get(f"{path}/999999").status_code == 404
    body = {"asset": "USDT", "amount": 1, "direction": "IN"}
    assert stranger.post(f"margin/accounts/{account.id}/collateral", body).status_code == 403
    reader = create_api_key(
        broker_id=account.broker_id, scopes=("read",), name="r", account_id=account.id
    )
    refusal = Api(reader.secret, "/api/v1/").post(f"margin/accounts/{account.id}/collateral", body)
    assert refusal.json()["code"] == "missing_scope"


# --- the report -----------------------------------------------------------------------------------


def results(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.content
    lines: list[dict[str, Any]] = answer.json()["results"]
    return lines


def test_the_venue_sees_all_accounts_the_riskiest_first(
    trader: tuple[TradingAccount, Api],
) -> None:
    account, _ = trader
    with override_settings(ADMIN_API_KEY=_ADMIN_KEY):
        venue = Api(_ADMIN_KEY, "/api/v1/")
        first, second = results(venue.get("margin-report"))
        backwards = results(venue.get("margin-report", order="asc"))
        in_csv = b"".join(venue.get("margin-report", format="csv").streaming_content).decode()
        assert venue.get("margin-report", sort="luck").status_code == 422
        assert venue.get(f"positions/{account.id}").json()["code"] == "missing_scope"

    assert (first["account_id"], first["liquidation_price"]) == (account.id, "44444.44444444")
    assert (second["broker"], second["symbol"]) == ("Counter", "BTC-PERP")
    assert backwards == [second, first]
    lines = in_csv.splitlines()
    assert lines[0].startswith("account_id,document_number,broker,asset")
    assert lines[1].startswith(f"{account.id},1,Trader,USDT,1,BTC-PERP,1000,0,1000,1000,500")
    assert len(lines) == 3


def test_a_broker_sees_its_own_and_a_bound_key_the_one(trader: tuple[TradingAccount, Api]) -> None:
    account, api = trader
    assert [line["account_id"] for line in results(api.get("margin-report"))] == [account.id]
    named = results(api.get("margin-report", account_id=account.id))
    assert [line["account_id"] for line in named] == [account.id]
    assert results(api.get("margin-report", at_risk="true")) == []
    set_mark(45_000)
    [line] = results(api.get("margin-report", at_risk="true"))
    assert line["risk_level"] == "CALL"
