"""The outcomes that reach this process: one thread listens, the others wait for theirs.

A message that is missed (Valkey was away, the listener was connecting again) is not lost: whoever
waits asks the database after a second. The mailbox holds what is waited for now and nothing else.
"""

import logging
import os
import secrets
import threading

import msgspec
import redis

from common.valkey import new_listener_client
from orders.commands import AnyOutcome, decode_outcomes
from orders.streams import reply_channel

logger = logging.getLogger(__name__)

_HEALTH_CHECK_SECONDS = 5.0
_UNANSWERED_PINGS_MAX = 1
_FIRST_RETRY_SECONDS = 0.05
_LAST_RETRY_SECONDS = 1.0
_SUBSCRIBE_SECONDS_MAX = 0.5


class Waiter:
    """One thread's wait for one outcome: a lock that the listener opens."""

    __slots__ = ("_lock", "outcome")

    def __init__(self) -> None:
        self.outcome: AnyOutcome | None = None
        self._lock = threading.Lock()
        self._lock.acquire()

    def deliver(self, outcome: AnyOutcome) -> None:
        """Hand the outcome over; called once."""
        self.outcome = outcome
        self._lock.release()

    def wait(self, seconds: float) -> AnyOutcome | None:
        """The outcome, or None when it did not come in time."""
        if self.outcome is None and self._lock.acquire(timeout=max(seconds, 0)):
            self._lock.release()
        return self.outcome


class Mailbox:
    """The address of this process and those of its threads that wait."""

    def __init__(self) -> None:
        self.address = secrets.token_hex(8)
        self._waiters: dict[bytes, Waiter] = {}
        self._subscribed = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_listening(self) -> bool:
        """Whether the listener's thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def listen(self) -> None:
        """Start the listener's thread."""
        self._thread = threading.Thread(target=self._listen, name="engine-replies", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let the listener end within its next health check."""
        self._closed.set()

    def await_subscription(self) -> None:
        """Give the listener a moment to hear; without it the outcome comes by look-up."""
        if not self._subscribed.is_set():
            self._subscribed.wait(_SUBSCRIBE_SECONDS_MAX)

    def expect(self, command_id: bytes) -> Waiter:
        """A waiter for the outcome of a command; the caller ends it with `forget`."""
        waiter = self._waiters[command_id] = Waiter()
        return waiter

    def forget(self, command_id: bytes) -> None:
        """Nobody waits for this command any more."""
        self._waiters.pop(command_id, None)

    def _listen(self) -> None:
        delay = _FIRST_RETRY_SECONDS
        while not self._closed.is_set():
            try:
                self._listen_until_error()
            except (redis.RedisError, OSError) as error:
                if self._closed.is_set():
                    return
                logger.warning("The reply channel broke, it is opened again: %s", error)
            except Exception:
                logger.exception("The listener of replies failed, it goes on")
            if self._subscribed.is_set():
                self._subscribed.clear()
                delay = _FIRST_RETRY_SECONDS
            self._closed.wait(delay)
            delay = min(delay * 2, _LAST_RETRY_SECONDS)

    def _listen_until_error(self) -> None:
        client = new_listener_client(health_check_seconds=_HEALTH_CHECK_SECONDS)
        try:
            with client.pubsub() as channel:
                channel.subscribe(reply_channel(self.address))
                while not self._closed.is_set():
                    message = channel.get_message(timeout=_HEALTH_CHECK_SECONDS)
                    if channel.health_check_response_counter > _UNANSWERED_PINGS_MAX:
                        raise redis.ConnectionError("Valkey answers no ping")
                    if message is None:
                        continue
                    if message["type"] == "message":
                        self._deliver(message["data"])
                    elif message["type"] == "subscribe":
                        self._subscribed.set()
        finally:
            client.close()

    def _deliver(self, data: bytes) -> None:
        try:
            outcomes = decode_outcomes(data)
        except msgspec.MsgspecError:
            logger.exception("Unreadable outcomes of %d bytes", len(data))
            return
        for outcome in outcomes:
            waiter = self._waiters.pop(outcome.command_id, None)
            if waiter is not None:
                waiter.deliver(outcome)


_mailbox: Mailbox | None = None
_making = threading.Lock()


def get_mailbox() -> Mailbox:
    """This process's mailbox, whose listener runs: made at first use, never before a fork."""
    global _mailbox
    mailbox = _mailbox
    if mailbox is None or not mailbox.is_listening:
        with _making:
            mailbox = _mailbox = _mailbox or Mailbox()
            if not mailbox.is_listening:
                mailbox.listen()
    mailbox.await_subscription()
    return mailbox


def drop_mailbox() -> None:
    """End listening; the next command makes another mailbox, as settings then say."""
    global _mailbox
    with _making:
        if _mailbox is not None:
            _mailbox.close()
        _mailbox = None


def _forget_mailbox() -> None:
    """In a forked child: address, waiters and thread are the parent's."""
    global _mailbox, _making
    _mailbox, _making = None, threading.Lock()


os.register_at_fork(after_in_child=_forget_mailbox)
