"""Responses on their way to slow readers, and the shares of requests in Django's threads."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from exchange_project.front.errors import DjangoBusy, TooManySlowRequests
from exchange_project.front.lanes import Lanes
from exchange_project.front.spool import Spool

CHUNKS = [bytes([number]) * 300_000 for number in range(20)]


async def source(*, fails: bool = False) -> AsyncIterator[bytes]:
    for chunk in CHUNKS:
        yield chunk
        await asyncio.sleep(0)
    if fails:
        raise ConnectionError("the source broke")


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(10):
            await test()

    asyncio.run(bounded())


def test_a_writer_ends_before_its_reader_begins():
    async def test() -> None:
        spool = Spool()
        await spool.fill(source())
        assert b"".join([chunk async for chunk in spool.chunks()]) == b"".join(CHUNKS)

    run(test)


def test_a_reader_gets_what_is_there_and_waits_for_the_rest():
    async def test() -> None:
        spool = Spool()
        filling = asyncio.create_task(spool.fill(source()))
        read = []
        async for chunk in spool.chunks():
            read.append(chunk)
            await asyncio.sleep(0.001)
        await filling
        assert b"".join(read) == b"".join(CHUNKS)

    run(test)


def test_the_error_of_the_writer_follows_what_it_wrote():
    async def test() -> None:
        spool, read = Spool(), b""
        await spool.fill(source(fails=True))
        with pytest.raises(ConnectionError):
            async for chunk in spool.chunks():
                read += chunk
        assert read == b"".join(CHUNKS)

    run(test)


def test_a_writer_stops_when_the_reader_has_gone():
    written = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal written
        while True:
            written += 1
            yield b"x" * 100_000
            await asyncio.sleep(0)

    async def test() -> None:
        spool = Spool()
        filling = asyncio.create_task(spool.fill(endless()))
        await asyncio.sleep(0.05)
        spool.abandon()
        await filling

    run(test)
    assert written > 0


def test_slow_requests_have_a_share_of_the_threads_and_the_others_find_one():
    async def test() -> None:
        lanes = Lanes(8)
        async with lanes.thread("/a", b"format=csv"), lanes.thread("/b", b"format=csv"):
            with pytest.raises(TooManySlowRequests):
                async with lanes.thread("/c", b"format=csv"):
                    pass
            async with lanes.thread("/c", b""), lanes.thread("/api/v1/price/X", b""):
                pass
        async with lanes.thread("/c", b"format=csv"):
            pass

    run(test)


def test_the_queue_for_a_thread_is_bounded():
    async def hold(lanes: Lanes, release: asyncio.Event) -> None:
        async with lanes.thread("/a", b""):
            await release.wait()

    async def test() -> None:
        lanes, release = Lanes(1), asyncio.Event()
        holding = [asyncio.create_task(hold(lanes, release)) for _ in range(17)]
        await asyncio.sleep(0)
        with pytest.raises(DjangoBusy) as refusal:
            await hold(lanes, release)
        assert (refusal.value.status, refusal.value.retry_after_seconds) == (503, 1)
        release.set()
        await asyncio.gather(*holding)
        await hold(lanes, release)

    run(test)
