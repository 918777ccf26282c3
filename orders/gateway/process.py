"""The one link of a process, and calls of it from threads.

A web process opens the link on the event loop that serves its requests. Any other process gets a
thread with an event loop of its own, started at first use and never before a fork.
"""

import asyncio
import os
import threading
from collections.abc import Coroutine, Hashable, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from orders.commands import AnyCommand, AnyOutcome
from orders.gateway.link import EngineLink

Result = TypeVar("Result")

_link: EngineLink | None = None
_thread: threading.Thread | None = None
_starting = threading.Lock()


async def open_link() -> EngineLink:
    """Make the running loop that of the process's link; callers in threads use it from now on."""
    global _link
    _link = EngineLink()
    return _link


async def close_link() -> None:
    """End the link of the running loop."""
    global _link
    link, _link = _link, None
    if link is not None:
        await link.close()


def get_link() -> EngineLink:
    """The process's link, whose loop runs."""
    link = _link
    if link is not None and link.loop.is_running():
        return link
    with _starting:
        link = _link
        return link if link is not None and link.loop.is_running() else _start_thread()


def reply_address() -> str:
    """Where outcomes for this process go, for commands that are made here."""
    return get_link().address


def drop_link() -> None:
    """End the link and its thread; the next command makes another one, as settings then say."""
    global _link, _thread
    link, thread = _link, _thread
    if link is not None and link.loop.is_running():
        asyncio.run_coroutine_threadsafe(link.close(), link.loop).result()
        if thread is not None:
            thread.join()
    _link = _thread = None


def submit(
    command: AnyCommand, shard: int, *, timeout: float, caller: Hashable | None = None
) -> AnyOutcome:
    """`EngineLink.submit` for threads."""
    link = get_link()
    return _run(link, link.submit(command, shard, timeout=timeout, caller=caller))


def submit_all(
    commands: Sequence[tuple[AnyCommand, int]], *, timeout: float
) -> list[AnyOutcome | None]:
    """`EngineLink.submit_all` for threads."""
    link = get_link()
    return _run(link, link.submit_all(commands, timeout=timeout))


def send(command: AnyCommand, shard: int) -> None:
    """Send a command whose outcome is not awaited. Raises as `EngineLink.send_all`."""
    send_all([command], shard)


def send_all(commands: Sequence[AnyCommand], shard: int) -> None:
    """`EngineLink.send_all` for threads."""
    link = get_link()
    _run(link, link.send_all(commands, shard))


def check_shard_open(shard: int) -> None:
    """`EngineLink.check_shard_open` for threads."""
    link = get_link()
    _run(link, link.check_shard_open(shard))


def _run(link: EngineLink, coroutine: Coroutine[Any, Any, Result]) -> Result:
    assert threading.get_ident() != link.thread_id, "await the link's methods instead"
    return asyncio.run_coroutine_threadsafe(coroutine, link.loop).result()


def _start_thread() -> EngineLink:
    """A loop in a thread of its own, with a link on it."""
    global _link, _thread
    started: Future[EngineLink] = Future()
    _thread = threading.Thread(
        target=lambda: asyncio.run(_serve(started)), name="engine-link", daemon=True
    )
    _thread.start()
    _link = started.result()
    return _link


async def _serve(started: "Future[EngineLink]") -> None:
    link = EngineLink()
    started.set_result(link)
    await link.closed.wait()


def _forget() -> None:
    """In a forked child: the link, its loop and its thread are the parent's."""
    global _link, _thread, _starting
    _link, _thread, _starting = None, None, threading.Lock()


os.register_at_fork(after_in_child=_forget)
