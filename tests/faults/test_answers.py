"""Answers over real HTTP to several web processes: one order a key, own writes seen, no silence."""

import threading
import time
from typing import Any

import psutil
import pytest

from embedded.trial import TrialVenue
from tests.faults.conftest import register
from tests.faults.floor import Floor
from tests.faults.traders import VALID_UNTIL, Answer, Caller

_AT_ONCE = 20
# What the reply channel does not bring is looked up after a second: less than that was a reply.
_REPLY_SECONDS = 1.0
# Longer than the socket time-outs that the client library has by default.
_IDLE_SECONDS = 12.0
_ROUNDS = 30


def _callers(venue: TrialVenue, key: str, count: int) -> list[Caller]:
    """Clients with open connections, spread over the web processes by the kernel."""
    callers = [Caller(venue.port, key) for _ in range(count)]
    for caller in callers:
        assert caller.get("/health").status == 200
    return callers


def _assert_all_workers_have_connections(venue: TrialVenue) -> None:
    workers = psutil.Process(venue.supervisor.pid_of("web")).children()
    assert len(workers) >= 2
    for worker in workers:
        served = [c for c in worker.net_connections("tcp") if c.status == psutil.CONN_ESTABLISHED]
        assert any(c.laddr.port == venue.port for c in served), "a web process has no client"


def _place_patiently(caller: Caller, body: Any) -> Answer:
    """Send an order, again after 503: the venue is busy, nothing was written."""
    while (answer := caller.post("/api/v1/orders", body)).status == 503:
        time.sleep(0.1)
    return answer


@pytest.mark.parametrize("attempt", range(3))
def test_twenty_at_once_with_one_key_get_one_order(
    venue: TrialVenue, funded: tuple[str, int], attempt: int
) -> None:
    venue.wait_until_healthy()
    key, account_id = funded
    body = {
        "account_id": account_id,
        "symbol": "CALM",
        "side": "BUY",
        "limit_price": "1.00",
        "quantity": 1,
        "client_order_id": f"at-once-{attempt}",
    }
    callers = _callers(venue, key, _AT_ONCE)
    _assert_all_workers_have_connections(venue)
    barrier, answers = threading.Barrier(_AT_ONCE), list[Answer]()

    def place(caller: Caller) -> None:
        barrier.wait()
        answers.append(_place_patiently(caller, body))

    threads = [threading.Thread(target=place, args=[caller]) for caller in callers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(answers) == _AT_ONCE
    assert {answer.status for answer in answers} <= {200, 201}, answers
    assert [answer.status for answer in answers].count(201) == 1
    assert len({answer.document["id"] for answer in answers}) == 1


def test_everybody_sees_at_once_what_was_answered(
    venue: TrialVenue, floor: Floor, broker_key: str
) -> None:
    """A bid rests, an ask takes it: book, orders and balances after each answer, on any worker."""
    floor.open("STOP")
    buyers = _callers(venue, register(venue, "Sees bids"), 6)
    sellers = _callers(venue, register(venue, "Sees asks"), 6)
    _assert_all_workers_have_connections(venue)
    paid = 0
    for number in range(_ROUNDS):
        # Who writes and who reads are different connections, so often different processes.
        buyer, seller = buyers[number % 6], sellers[(number + 2) % 6]
        reader, other_reader = buyers[(number + 3) % 6], sellers[(number + 5) % 6]
        price, quantity = 500 + number, 10 + number
        bid = _place_classic(buyer, "bid", price, quantity)
        assert _book(reader) == ([(price, quantity, 1)], [])
        assert reader.get(f"/orders/{bid}").document["remaining_quantity"] == quantity
        ask = _place_classic(seller, "ask", price, quantity)
        paid += price * quantity
        assert _book(other_reader) == ([], [])
        assert other_reader.get(f"/orders/{ask}").document["status"] == "closed"
        assert reader.get(f"/orders/{bid}").document["remaining_quantity"] == 0
        assert reader.get("/balance").document["balance"] == -paid
        assert other_reader.get("/balance").document["balance"] == paid
        shown = reader.get("/stocks/OWN/price?trades=1").document
        assert shown["last_price"] == shown["average_price"] == price


def test_an_order_after_an_idle_pause_is_answered_at_once(
    venue: TrialVenue, broker_key: str
) -> None:
    venue.wait_until_healthy()
    callers = _callers(venue, broker_key, 8)
    _assert_all_workers_have_connections(venue)
    for caller in callers:
        _place_classic(caller, "bid", 100, 1, symbol="IDLE")
    idle_until = time.monotonic() + _IDLE_SECONDS
    venue.supervisor.wait_until(lambda: time.monotonic() > idle_until, seconds=_IDLE_SECONDS + 1)

    for caller in callers:
        began = time.monotonic()
        _place_classic(caller, "bid", 100, 1, symbol="IDLE")
        assert time.monotonic() - began < _REPLY_SECONDS


def _place_classic(
    caller: Caller, side: str, price: int, quantity: int, *, symbol: str = "OWN"
) -> str:
    answer = caller.post(
        "/orders",
        {
            "document_number": "1",
            "side": side,
            "symbol": symbol,
            "price": price,
            "quantity": quantity,
            "valid_until": VALID_UNTIL,
        },
    )
    assert answer.status == 201, answer
    order_id: str = answer.document["order_id"]
    return order_id


def _book(caller: Caller) -> tuple[list[Any], list[Any]]:
    shown = caller.get("/stocks/OWN/book").document
    bids, asks = (
        [(level["price"], level["total_quantity"], level["order_count"]) for level in shown[half]]
        for half in ("bids", "asks")
    )
    return bids, asks
