"""The load generator against a server that does nothing: what it sends, counts and times."""

import asyncio
import json
from array import array
from typing import Any

import pytest

from benchmarks import http
from benchmarks.latency import percentiles
from benchmarks.load import Load, NoConnectionsError, Plan
from benchmarks.traffic import EXPECTED, PRIMERS
from benchmarks.trivial import TrivialVenue
from embedded.ports import choose_free_port

_KEYS = [f"key-{number}" for number in range(100)]


async def _run(server: type[asyncio.Protocol], load: Load) -> dict[str, Any]:
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", load.plan.port)
    async with listening:
        return await load.run()


def _load(
    server: type[asyncio.Protocol] = TrivialVenue, **plan: Any
) -> tuple[Load, dict[str, Any]]:
    load = Load(Plan(**{"port": choose_free_port(), "keys": _KEYS, "seconds": 0.5, **plan}))
    return load, asyncio.run(_run(server, load))


class _BusyVenue(TrivialVenue):
    """Never takes an order."""

    def data_received(self, data: bytes) -> None:
        self._transport.write(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n")


class _SlowVenue(TrivialVenue):
    """Answers each request of a connection 0.1 s late, in pieces."""

    def data_received(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(0.05, self._transport.write, b"HTTP/1.1 201 Created\r\nContent-")
        body = b'{"order_id":"1"}'
        rest = b"Length: %d\r\n\r\n%s" % (len(body), body)
        loop.call_later(0.1, self._transport.write, rest)


class _ClosingVenue(TrivialVenue):
    """Closes each connection instead of an answer."""

    def data_received(self, data: bytes) -> None:
        self._transport.close()


def test_closed_loop_sends_the_whole_mix_and_is_answered() -> None:
    load, result = _load(connections=8, seconds=1.0)

    assert result["unexpected"] == result["unanswered"] == result["lost_connections"] == 0
    assert result["kinds"].keys() == EXPECTED.keys()
    shares = {
        kind: found["count"] / result["all"]["count"] for kind, found in result["kinds"].items()
    }
    assert shares["order"] == pytest.approx(0.72 * 700 / 945, abs=0.08)
    assert shares["cancel"] == pytest.approx(0.72 * 245 / 945, abs=0.08)
    assert shares["status"] == pytest.approx(0.28 * 0.35, abs=0.08)
    assert len(load.traffic.acknowledged) == result["statuses"]["order 201"]
    assert set(load.traffic.canceled) <= set(load.traffic.acknowledged)


def test_orders_alone() -> None:
    _, result = _load(connections=2, orders_only=True)

    assert result["kinds"].keys() == {"order"}
    assert result["orders_per_second"] == result["requests_per_second"] > 0


def test_open_loop_offers_the_planned_rate() -> None:
    _, result = _load(connections=16, seconds=2.0, warm_up_seconds=0.5, rate=200.0)

    # 300 are planned in the 1.5 s that count; five standard deviations of a Poisson count.
    assert 300 - 87 < result["planned"] < 300 + 87
    assert result["all"]["count"] == result["planned"]


def test_open_loop_counts_the_wait_for_those_before() -> None:
    """One connection, answers after 0.1 s, 20 a second offered: the queue grows, and it shows."""
    _, result = _load(_SlowVenue, connections=1, seconds=1.0, rate=40.0, orders_only=True)

    assert result["all"]["max_ms"] > 500


def test_pieces_of_an_answer_are_put_together() -> None:
    load, result = _load(_SlowVenue, connections=1, seconds=0.3, orders_only=True)

    assert set(load.traffic.acknowledged) == {"1"}
    assert result["all"]["p50_ms"] >= 95


def test_a_refused_connection_waits_as_told() -> None:
    load, result = _load(_BusyVenue, connections=3, seconds=0.5, orders_only=True)

    assert result["statuses"] == {"order 503": 3}
    assert result["unexpected"] == 3
    assert result["all"]["count"] == 0
    assert load.traffic.acknowledged == []


def test_without_any_connection_left_the_run_fails() -> None:
    with pytest.raises(NoConnectionsError):
        _load(_ClosingVenue, connections=2)


def test_primers_open_every_account_once() -> None:
    load, result = _load(connections=8, prime=True)

    assert result["statuses"] == {"order 201": PRIMERS}
    bodies = [
        json.loads(load.traffic.primer(number).data.partition(b"\r\n\r\n")[2])
        for number in range(PRIMERS)
    ]
    assert len({body["document_number"] for body in bodies}) == PRIMERS
    assert len({body["symbol"] for body in bodies}) == 450


def test_nearest_rank() -> None:
    assert percentiles(array("d", [n / 1000 for n in range(100, 0, -1)])) == {
        "count": 100,
        "p50_ms": 51.0,
        "p90_ms": 91.0,
        "p99_ms": 100.0,
        "max_ms": 100.0,
    }
    assert percentiles(array("d"))["max_ms"] == 0.0


def test_as_processes_of_their_own() -> None:
    row = http.measure_generator(0.5, connections=4)

    assert row.details["unexpected"] == 0
    assert row.value > 0
