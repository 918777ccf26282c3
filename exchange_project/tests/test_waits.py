"""Waits for threads end, also while all of them wait for a server that does not answer."""

import asyncio
import threading

import pytest

from common.errors import VenueUnavailable
from exchange_project.front import lanes
from exchange_project.front.errors import DjangoBusy
from exchange_project.front.lanes import Lanes
from exchange_project.hot import threads

_THREADS = threads.Work.REQUESTS.value[1]


def test_a_call_that_finds_no_thread_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_QUEUE_SECONDS", 0.1)
    released, made = threading.Event(), list[str]()

    async def ask() -> list[object]:
        held = [
            asyncio.create_task(threads.run_in_thread(lambda: released.wait(10)))
            for _ in range(_THREADS)
        ]
        await asyncio.sleep(0.05)
        with pytest.raises(VenueUnavailable):
            await threads.run_in_thread(lambda: made.append("late"))
        released.set()
        answers: list[object] = list(await asyncio.gather(*held))
        await threads.run_in_thread(lambda: made.append("in time"))
        return answers

    assert asyncio.run(ask()) == [True] * _THREADS
    assert made == ["in time"]


def test_a_call_that_runs_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_QUEUE_SECONDS", 0.05)
    waited = threading.Event()
    assert asyncio.run(threads.run_in_thread(lambda: waited.wait(0.3) or "done")) == "done"


def test_a_request_that_gets_no_django_thread_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "_WAIT_SECONDS", 0.05)

    async def ask() -> None:
        busy = Lanes(1)
        async with busy.thread("/api/v1/accounts", b""):
            with pytest.raises(DjangoBusy):
                async with busy.thread("/api/v1/accounts", b""):
                    raise AssertionError("there is only one thread")
        async with busy.thread("/api/v1/accounts", b""):
            return

    asyncio.run(ask())
