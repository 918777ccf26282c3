"""Password hashers that work on a few passwords at a time, in each process.

A hash takes a hundred megabytes for a tenth of a second, on purpose. Strangers decide how many
passwords they send, so without a bound they decide how much memory the venue takes.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.contrib.auth import hashers

from brokers.errors import PasswordsBusy

WAIT_SECONDS = 3.0
# How many wait for each that is hashed; a thread of the web server each.
_WAITING_FACTOR = 3


class _Seats:
    """The places of this process for passwords that are hashed, and for those that wait."""

    def __init__(self, count: int) -> None:
        self.hashed = threading.BoundedSemaphore(count)
        self.present = threading.BoundedSemaphore(count * (1 + _WAITING_FACTOR))


_seats: _Seats | None = None
_making = threading.Lock()


@contextmanager
def hashing_seat() -> Iterator[None]:
    """One of `PASSWORD_HASHES_AT_ONCE` places of this process, waited for at most three seconds.

    Raises:
        PasswordsBusy: none was free in that time, or too many wait; nothing was hashed.
    """
    seats = _get_seats()
    if not seats.present.acquire(blocking=False):
        raise PasswordsBusy()
    try:
        if not seats.hashed.acquire(timeout=WAIT_SECONDS):
            raise PasswordsBusy()
        try:
            yield
        finally:
            seats.hashed.release()
    finally:
        seats.present.release()


def _get_seats() -> _Seats:
    """Made when they are first needed, so after a fork: semaphores are a process's own."""
    global _seats
    with _making:
        if _seats is None:
            _seats = _Seats(settings.PASSWORD_HASHES_AT_ONCE)
        return _seats


class _Bounded:
    """A hasher that takes a seat to encode. Those of Django but Argon2 verify by encoding again."""

    def encode(self, *args: Any, **kwargs: Any) -> str:
        with hashing_seat():
            return super().encode(*args, **kwargs)  # type: ignore[misc, no-any-return]


class BoundedArgon2(_Bounded, hashers.Argon2PasswordHasher):
    """Argon2, a few at a time."""

    def verify(self, password: str, encoded: str) -> bool:
        with hashing_seat():
            return super().verify(password, encoded)


class BoundedBCrypt(_Bounded, hashers.BCryptSHA256PasswordHasher):
    """bcrypt over SHA-256, a few at a time."""


class BoundedPBKDF2(_Bounded, hashers.PBKDF2PasswordHasher):
    """PBKDF2, a few at a time."""
