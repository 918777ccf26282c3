"""The channel on which a process receives the outcomes of its commands.

A message that is missed (Valkey was away, the channel was connecting again) is not lost: what
waits is looked up in the database after a second.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import hiredis
import msgspec

from common.request_ids import outside_requests
from orders.commands import AnyOutcome, decode_outcomes
from orders.gateway.connection import ValkeyConnection, connect
from orders.streams import reply_channel

logger = logging.getLogger(__name__)

_HEALTH_CHECK_SECONDS = 5.0
_FIRST_RETRY_SECONDS = 0.05
_LAST_RETRY_SECONDS = 1.0
_SUBSCRIBE_SECONDS_MAX = 0.5


class ReplyChannel:
    """A subscription that is kept alive; `deliver` gets each outcome. Lives on one event loop."""

    def __init__(self, address: str, deliver: Callable[[AnyOutcome], None]) -> None:
        self._name = reply_channel(address)
        self._deliver = deliver
        self._subscribed = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(
            self._keep_subscribed(), context=outside_requests()
        )

    @property
    def is_subscribed(self) -> bool:
        """Whether outcomes are being received now."""
        return self._subscribed.is_set()

    async def wait_subscribed(self) -> None:
        """Give the subscription a moment; without it the outcome comes by look-up."""
        if not self._subscribed.is_set():
            try:
                async with asyncio.timeout(_SUBSCRIBE_SECONDS_MAX):
                    await self._subscribed.wait()
            except TimeoutError:
                logger.warning("Outcomes are looked up until the reply channel is open again")

    async def close(self) -> None:
        """End the subscription."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _keep_subscribed(self) -> None:
        delay = _FIRST_RETRY_SECONDS
        while True:
            try:
                await self._stay_subscribed()
            except (ConnectionError, hiredis.ReplyError) as error:
                logger.warning("The reply channel broke and is opened again: %s", error)
            except Exception:
                logger.exception("The reply channel failed and is opened again")
            if self._subscribed.is_set():
                self._subscribed.clear()
                delay = _FIRST_RETRY_SECONDS
            await asyncio.sleep(delay)
            delay = min(delay * 2, _LAST_RETRY_SECONDS)

    async def _stay_subscribed(self) -> None:
        """Subscribe and stay until the connection is lost or a ping is not answered."""
        lost = asyncio.Event()
        connection = await connect(on_message=self._receive, on_lost=lost.set)
        try:
            await connection.call("SUBSCRIBE", self._name)
            self._subscribed.set()
            while True:
                try:
                    async with asyncio.timeout(_HEALTH_CHECK_SECONDS):
                        await lost.wait()
                    raise ConnectionError("the connection was lost")
                except TimeoutError:
                    await _ping(connection)
        finally:
            connection.close()

    def _receive(self, message: list[Any]) -> None:
        try:
            outcomes = decode_outcomes(message[2])
        except msgspec.MsgspecError:
            logger.exception("Unreadable outcomes of %d bytes", len(message[2]))
            return
        for outcome in outcomes:
            self._deliver(outcome)


async def _ping(connection: ValkeyConnection) -> None:
    await connection.call("PING")
