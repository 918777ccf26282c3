"""The load generator, a process of its own: `python -m benchmarks.load PLAN RESULT` (JSON files).

Closed loop: each of N connections sends its next request when the last one is answered; told 503,
it waits as Retry-After says. Open loop: requests are planned by a Poisson process, whatever the
venue does, and latency counts from the planned moment, so a slow answer cannot hide the wait of
those behind it (no coordinated omission). The clock of asyncio adds up to a millisecond to it.
"""

import asyncio
import gc
import json
import random
import resource
import sys
import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.client import Connection, connect
from benchmarks.latency import Record
from benchmarks.traffic import PRIMERS, Request, Traffic

# A second's pause after a 503: what the venue's Retry-After says.
_RETRY_SECONDS = 1.0
# What was sent before the end is waited for so long.
_DRAIN_SECONDS = 6.0


class Plan(msgspec.Struct, kw_only=True):
    """What to send. `rate` (requests a second) makes it an open loop; `acknowledged`: a file that
    gets the ids of the orders that were answered 201, a line each."""

    port: int
    keys: list[str]
    connections: int
    seconds: float
    rate: float | None = None
    warm_up_seconds: float = 0.0
    pause_seconds: float = 0.0
    orders_only: bool = False
    prime: bool = False
    seed: int = 1
    acknowledged: str | None = None


class NoConnectionsError(Exception):
    """There is nothing left to send over."""


class Load:
    """One run: connections, the traffic they carry, and what became of it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.traffic = Traffic(plan.seed, plan.keys, orders_only=plan.orders_only)
        self.record = Record()
        self.planned = 0
        self._connections: list[Connection] = []
        self._free: list[Connection] = []
        # Planned, and no connection was free.
        self._queue: deque[tuple[Request, float]] = deque()
        self._primers = list(range(PRIMERS)) if plan.prime else []
        self._counted_from = self._until = 0.0
        self._waiting = 0

    async def run(self) -> dict[str, Any]:
        """Send for as long as planned and wait for what is on its way."""
        plan = self.plan
        for _ in range(plan.connections):
            await self._connect()
        gc.collect()
        gc.freeze()
        gc.disable()
        began, used = time.perf_counter(), _processor_seconds()
        self._counted_from = began + plan.warm_up_seconds
        self._until = began + (float("inf") if self._primers else plan.seconds)
        if plan.rate is None:
            await self._run_closed()
        else:
            await self._run_open(plan.rate)
        took = time.perf_counter() - began
        if not self._connections:
            raise NoConnectionsError("every connection was closed by the server, or not understood")
        await self._drain()
        document = self._document(took, (_processor_seconds() - used) / took)
        for connection in self._connections:
            connection.close()
        return document

    # --- the two loops ----------------------------------------------------------------------------

    async def _run_closed(self) -> None:
        while self._free:
            self._send_next(self._free.pop())
        while time.perf_counter() < self._until and (self._primers or not self.plan.prime):
            await asyncio.sleep(0.05)
        self._until = 0.0

    async def _run_open(self, rate: float) -> None:
        draw = random.Random(self.plan.seed + 2)
        planned_at = time.perf_counter()
        while planned_at < self._until:
            now = time.perf_counter()
            while planned_at <= min(now, self._until):
                self._offer(self.traffic.next(), planned_at)
                planned_at += draw.expovariate(rate)
            await asyncio.sleep(max(0.0, min(planned_at, self._until) - now))

    def _offer(self, request: Request, planned_at: float) -> None:
        if planned_at >= self._counted_from:
            self.planned += 1
        if self._free:
            self._send(self._free.pop(), request, planned_at)
        else:
            self._queue.append((request, planned_at))

    async def _drain(self) -> None:
        deadline = time.perf_counter() + _DRAIN_SECONDS
        while self._waiting and time.perf_counter() < deadline:
            await asyncio.sleep(0.02)

    # --- connections ------------------------------------------------------------------------------

    async def _connect(self) -> None:
        connection = await connect("127.0.0.1", self.plan.port, self._on_answer, self._on_lost)
        self._connections.append(connection)
        self._free.append(connection)

    def _send(self, connection: Connection, request: Request, planned_at: float) -> None:
        self._waiting += 1
        connection.send(request.data, (request, planned_at))

    def _send_next(self, connection: Connection) -> None:
        """Closed loop: the next request of this connection, until time is up."""
        now = time.perf_counter()
        if self.plan.prime:
            if self._primers:
                self._send(connection, self.traffic.primer(self._primers.pop()), now)
        elif now < self._until:
            if now >= self._counted_from:
                self.planned += 1
            self._send(connection, self.traffic.next(), now)

    def _on_answer(self, connection: Connection, status: int, body: bytes) -> None:
        request, planned_at = connection.note
        seconds = time.perf_counter() - planned_at
        self._waiting -= 1
        is_counted = planned_at >= self._counted_from
        self.record.add(request.kind, status, seconds, is_counted=is_counted)
        self.traffic.note_answer(request, status, body)
        if self.plan.rate is not None:
            if self._queue:
                self._send(connection, *self._queue.popleft())
            else:
                self._free.append(connection)
        elif pause := _RETRY_SECONDS if status == 503 else self.plan.pause_seconds:
            asyncio.get_running_loop().call_later(pause, self._send_next, connection)
        else:
            self._send_next(connection)

    def _on_lost(self, connection: Connection) -> None:
        """Note that a connection broke; the run goes on with the others, while there are any."""
        self.record.lost += 1
        self._waiting -= connection.is_waiting
        self._connections.remove(connection)
        if connection in self._free:
            self._free.remove(connection)
        if not self._connections:
            self._until = 0.0

    # --- what came of it --------------------------------------------------------------------------

    def _document(self, took: float, processor_share: float) -> dict[str, Any]:
        record = self.record
        seconds = took - self.plan.warm_up_seconds
        return {
            "generator": "asyncio",
            **record.document(),
            "seconds": round(seconds, 2),
            "planned": self.planned,
            "unanswered": self._waiting + len(self._queue),
            "requests_per_second": round(record.expected / seconds, 1),
            "orders_per_second": round(record.answered("order") / seconds, 1),
            "acknowledged": len(self.traffic.acknowledged),
            "generator_processor_share": round(processor_share, 2),
        }


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _write_lines(file: Path, lines: Iterable[str]) -> None:
    file.write_text("".join(f"{line}\n" for line in lines))


def main() -> None:
    """Carry out a plan and write its result."""
    plan_file, result_file = map(Path, sys.argv[1:3])
    load = Load(msgspec.json.decode(plan_file.read_bytes(), type=Plan))
    result = asyncio.run(load.run())
    if load.plan.acknowledged is not None:
        _write_lines(Path(load.plan.acknowledged), load.traffic.acknowledged)
    result_file.write_text(json.dumps(result))


if __name__ == "__main__":
    main()
