"""wrk with the bench's script: what it sends, counts and notes."""

import asyncio
import json
import os
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from benchmarks import http, wrk
from benchmarks.report import Row
from benchmarks.targets import Target
from benchmarks.trivial import TrivialVenue
from embedded.ports import choose_free_port

_KEYS = ["key-one", "key-two"]
_needs_wrk = pytest.mark.skipif(wrk.find_wrk() is None, reason="wrk is not installed")


class _Recorder(TrivialVenue):
    """Keeps what it was sent; answers every fourth request 503."""

    requests: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        self.requests.append(data)
        if len(self.requests) % 4:
            super().data_received(data)
        else:
            self._transport.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")


async def _run(folder: Path, server: type[asyncio.Protocol], connections: int) -> None:
    port = choose_free_port()
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", port)
    spec = wrk.spec(folder, port=port, connections=connections, seconds=1, environ=os.environ)
    async with listening:
        ended = await asyncio.create_subprocess_exec(
            *spec.command, env=dict(spec.environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        output, errors = await ended.communicate()
    assert ended.returncode == 0, output + errors


def _result(folder: Path, server: type[asyncio.Protocol], connections: int = 2) -> dict[str, Any]:
    wrk.write_orders(folder, _KEYS, seed=1, seconds=0.05)
    asyncio.run(_run(folder, server, connections))
    return wrk.read_result(folder)


@_needs_wrk
def test_acknowledged_orders_are_counted_and_their_ids_noted(tmp_path: Path) -> None:
    result = _result(tmp_path, TrivialVenue)

    ids = (tmp_path / "1.ids").read_text().splitlines()
    assert len(ids) == len(set(ids)) >= result["acknowledged"] > 100
    assert all(re.fullmatch(r"[0-9a-f-]{36}", order_id) for order_id in ids)
    assert result["unexpected"] == result["lost_connections"] == 0
    assert result["unexpected_statuses"] == {}
    orders = result["kinds"]["order"]
    assert 0 < orders["p50_ms"] <= orders["p90_ms"] <= orders["p99_ms"] <= orders["max_ms"]
    assert result["orders_per_second"] == pytest.approx(
        result["acknowledged"] / result["seconds"], rel=0.02
    )


@_needs_wrk
def test_refusals_are_counted_by_status_and_make_no_result(tmp_path: Path) -> None:
    _Recorder.requests = []
    result = _result(tmp_path, _Recorder)

    refused = result["statuses"]["order 503"]
    assert refused == pytest.approx(result["statuses"]["order 201"] / 3, abs=3)
    assert result["unexpected"] == pytest.approx(refused, abs=2)
    row = http.closed_row(result, 2, Target(rate=1), pace=0.095)
    assert f"({refused:,} × order 503)" in row.figure
    assert (row.is_met, row.met()) == (False, "no result")


@_needs_wrk
def test_requests_are_whole_and_valid_from_the_moment_of_sending(tmp_path: Path) -> None:
    _Recorder.requests = []
    began = datetime.now(UTC)
    _result(tmp_path, _Recorder)

    lifetimes = []
    for request in _Recorder.requests:
        head, _, body = request.partition(b"\r\n\r\n")
        assert head.startswith(b"POST /orders HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        assert re.search(rb"\r\nAuthorization: Bearer key-(one|two)\r\n", head)
        assert f"\r\nContent-Length: {len(body)}".encode() in head
        order = json.loads(body)
        assert (order.get("order_type") == "market") == ("valid_until" not in order)
        if "valid_until" in order:
            lifetimes.append(datetime.fromisoformat(order["valid_until"]) - began)
    # The file was sent again and again.
    assert len(_Recorder.requests) > 1_000
    assert min(lifetimes) >= timedelta(seconds=0.499)
    day = timedelta(days=1)
    assert max(lifetimes) < day + timedelta(seconds=10)
    shares = sum(lifetime >= day for lifetime in lifetimes) / len(lifetimes)
    assert shares == pytest.approx(0.7, abs=0.1)


def test_what_is_written_for_wrk_is_the_mix(tmp_path: Path) -> None:
    wrk.write_orders(tmp_path, _KEYS, seed=1, seconds=0.2)

    assert (tmp_path / "keys").read_text() == "key-one\nkey-two\n"
    lines = (tmp_path / "orders").read_text().splitlines()
    assert len(lines) == 2_000
    drafts = [line.split(" ", 2) for line in lines]
    assert {key for key, _, _ in drafts} == {"1", "2"}
    orders = [json.loads(body + "}") for _, _, body in drafts]
    market = [order for order in orders if order.get("order_type") == "market"]
    assert len(market) / len(orders) == pytest.approx(0.05, abs=0.02)
    for (_, lifetime, _), order in zip(drafts, orders, strict=True):
        assert ("price" in order) == (lifetime != "0")


@pytest.mark.parametrize(
    ("rate", "p99", "expected"),
    [(4_300, 39.9, "yes"), (4_299, 39.9, "no"), (4_300, 40.0, "no")],
)
def test_a_target_is_a_rate_and_a_time(rate: float, p99: float, expected: str) -> None:
    row = _closed(rate=rate, p99=p99, pace=0.095)

    assert row.met() == expected
    assert row.target == row.target_here == "≥ 4,300 orders/s, p99 < 40 ms"


def test_a_target_follows_the_pace() -> None:
    """At twice the pace the machine does half as much in the same time."""
    row = _closed(rate=2_150, p99=79.0, pace=0.19)

    assert row.target_here == "≥ 2,150 orders/s, p99 < 80 ms"
    assert row.met() == "yes"
    assert (row.pace, row.value) == (0.19, 2_150)


def _closed(*, rate: float, p99: float, pace: float) -> Row:
    result = {
        "generator": "wrk",
        "orders_per_second": rate,
        "kinds": {"order": {"p50_ms": 1.0, "p90_ms": 2.0, "p99_ms": p99}},
        "unexpected": 0,
        "unexpected_statuses": {},
        "lost_connections": 0,
    }
    return http.closed_row(result, 32, http.CLOSED_LOOPS[32], pace)
