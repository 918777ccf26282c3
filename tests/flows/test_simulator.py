"""Somebody who trades by bot, at a real venue: registers, gets play money, makes a key, deals."""

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from embedded.trial import TrialVenue, trial_venue

ROOT = Path(__file__).resolve().parents[2]
_BOT = ROOT / "examples" / "bot.py"
_PERSON = {"email": "bot@example.com", "password": "correct horse battery"}


@pytest.fixture(scope="module")
def venue() -> Iterator[TrialVenue]:
    """Web alone: dealing needs no engine's process; it is there for the health of the venue."""
    with trial_venue(
        processes=("engine-0", "django", "web"),
        environ={
            "WEB_WORKERS": "1",
            "OPEN_LISTING": "true",
            "PRICE_PROVIDERS_EQUITY": "simulated",
            "SIMULATOR_STARTING_BALANCE": "100000",
        },
    ) as running:
        yield running


def call(venue: TrialVenue, path: str, body: Any = None, key: str = "") -> Any:
    """The document that answers a request."""
    connection = http.client.HTTPConnection("127.0.0.1", venue.port, timeout=30)
    headers = {"Content-Type": "application/json"}
    headers |= {"Authorization": f"Bearer {key}"} if key else {}
    data = None if body is None else json.dumps(body)
    try:
        connection.request("GET" if body is None else "POST", f"/api/v1/{path}", data, headers)
        return json.load(connection.getresponse())
    finally:
        connection.close()


@pytest.fixture(scope="module")
def key(venue: TrialVenue) -> str:
    """A key for the bot of a person who has registered just now."""
    call(venue, "auth/register", _PERSON)
    access = call(venue, "auth/token", _PERSON)["access"]
    made = call(venue, "api-keys", {"name": "bot", "scopes": ["read", "trade"]}, access)
    secret: str = made["key"]
    return secret


def test_the_bot_of_the_examples_trades(venue: TrialVenue, key: str) -> None:
    assert call(venue, "balance", key=key)["balance"] == "100000"
    account_id = call(venue, "brokers/me", key=key)["account_id"]

    url = f"http://127.0.0.1:{venue.port}"
    done = subprocess.run(
        [sys.executable, str(_BOT), url, key, "4"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    *deals, worth = done.stdout.splitlines()
    assert [line.split()[0] in ("buy", "sell") for line in deals] == [True] * 4
    assert worth.endswith(" USD")
    trades = call(venue, f"trades/{account_id}", key=key)["results"]
    assert deals[0].split() == ["buy", trades[-1]["price"]]
    spent = sum(
        Decimal(trade["notional"]) * (1 if trade["side"] == "BUY" else -1) for trade in trades
    )
    assert Decimal(call(venue, "balance", key=key)["balance"]) == 100_000 - spent
    assert "Everything agrees." in venue.manage("check_ledger")


def test_a_sandbox_account_can_lose_its_connection(venue: TrialVenue) -> None:
    broker = call(venue, "brokers", {"name": "Bots"}, venue.admin_key)["api_key"]["key"]
    opened = call(venue, "accounts", {"document_number": "7", "is_sandbox": True}, broker)
    order = {"account_id": opened["id"], "ticker": "AAPL", "action": "buy", "quantity": 1}
    order["client_order_id"] = "sim-disconnect-1"

    with pytest.raises(http.client.RemoteDisconnected):
        call(venue, "trade", order, broker)

    path = f"orders/by-client-id/sim-disconnect-1?account_id={opened['id']}"
    assert call(venue, path, key=broker)["status"] == "FILLED"
    venue.wait_until_healthy()
    assert call(venue, "portfolio?account_id=" + str(opened["id"]), key=broker)["holdings"]


def test_the_document_shows_the_bot_as_it_is() -> None:
    shown = (ROOT / "docs" / "simulator.md").read_text()

    assert f"```python\n{_BOT.read_text()}```" in shown
