"""What strangers can make a process of the front hold, and what waits behind them."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from common.errors import PayloadTooLarge, TooManyLargeBodies
from embedded.trial import TrialVenue
from exchange_project.hot.requests import (
    SMALL_BODY_BYTES,
    HeldBodies,
    HotRequest,
    Message,
    Receive,
    held_bodies,
)
from exchange_project.hot.threads import Work, run_in_thread
from tests.front.wire import Wire


def sender(*parts: bytes) -> Receive:
    """ASGI's messages of a body in these parts."""
    messages: Iterator[Message] = iter(
        {"type": "http.request", "body": part, "more_body": number < len(parts)}
        for number, part in enumerate(parts, 1)
    )

    async def receive() -> Message:
        return next(messages)

    return receive


def request_of(*parts: bytes) -> HotRequest:
    scope = {"method": "POST", "path": "/orders", "query_string": b"", "headers": []}
    return HotRequest(scope, sender(*parts))


@pytest.fixture
def room() -> Iterator[HeldBodies]:
    """Room for 100,000 bytes of large bodies."""
    before, held_bodies.bytes_max = held_bodies.bytes_max, 100_000
    yield held_bodies
    held_bodies.bytes_max = before
    assert held_bodies.bytes_held == 0


@pytest.mark.parametrize("parts", [(b"a" * 60_000,), (b"a" * 30_000, b"a" * 30_000)])
def test_large_bodies_find_room_or_are_refused(room: HeldBodies, parts: tuple[bytes, ...]):
    first, second, small = request_of(*parts), request_of(*parts), request_of(b"a" * 1000)
    assert len(asyncio.run(first.body())) == room.bytes_held == 60_000
    with pytest.raises(TooManyLargeBodies):
        asyncio.run(second.body())
    assert len(asyncio.run(small.body())) == 1000
    for request in (second, first, small):
        request.release()
    assert len(asyncio.run(request_of(b"a" * SMALL_BODY_BYTES).body())) == SMALL_BODY_BYTES
    third = request_of(*parts)
    assert len(asyncio.run(third.body())) == 60_000
    third.release()
    third.release()


def test_a_body_that_is_refused_holds_nothing_after_its_request(room: HeldBodies):
    request = request_of(b"a" * 30_000, b"a" * 30_000)
    with pytest.raises(PayloadTooLarge):
        asyncio.run(request.body(40_000))
    request.release()


def test_a_flood_of_unknown_keys_holds_up_neither_reads_nor_renewals():
    is_over = threading.Event()

    async def flood() -> list[str]:
        keys = [asyncio.create_task(run_in_thread(is_over.wait, Work.KEYS)) for _ in range(50)]
        await asyncio.sleep(0.05)
        async with asyncio.timeout(5):
            served = [
                await run_in_thread(lambda work=work: work.name, work)  # type: ignore[misc]
                for work in (Work.REQUESTS, Work.RENEWAL)
            ]
        is_over.set()
        await asyncio.gather(*keys)
        return served

    try:
        assert asyncio.run(flood()) == ["REQUESTS", "RENEWAL"]
    finally:
        is_over.set()


def test_bodies_that_strangers_never_finish_cost_bounded_memory(venue: TrialVenue, wire: Wire):
    """40 × 10 MB to a page without a login: more than the front takes in at a time."""
    size = 10_000_000
    hanging = [wire.another() for _ in range(40)]
    refused = 0
    for connection in hanging:
        length = ("Content-Type: application/x-www-form-urlencoded", f"Content-Length: {size}")
        connection.send(connection.head("POST", "/admin/login/", *length))
        try:
            connection.send(b"a" * (size - 10))
        except OSError:
            refused += 1
            continue
        connection.socket.settimeout(0.05)
        try:
            refused += connection.receive().status == 503
        except TimeoutError:
            continue
    assert 10 <= refused <= 20
    assert wire.ask(wire.order()).status == 201
    for connection in hanging:
        connection.socket.close()
