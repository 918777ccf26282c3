"""HTTP for price services: one deadline for whatever a client does, and failures in short words.

Imported late, with the client that needs it: it loads a TLS library of its own.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from curl_cffi.requests import Response, Session
from curl_cffi.requests.exceptions import RequestException, Timeout

from marketdata.providers.protocol import ProviderFailed, ProviderThrottled

_OK, _TOO_MANY = 200, 429


class DeadlineSession(Session):
    """A session whose requests all end by the deadline of the thread that makes them.

    A library that asks for cookies first, and again when it is refused, cannot take longer either.
    `redirected` may send a request to another address than the library chose.
    """

    def __init__(self, redirected: Callable[[str], str] = lambda url: url, **options: Any) -> None:
        super().__init__(**options)
        self._redirected = redirected
        self._of_thread = threading.local()

    @contextmanager
    def deadline(self, timeout_seconds: float) -> Iterator[None]:
        """All requests of this thread inside the block together take so long at most."""
        self._of_thread.ends_at = time.monotonic() + timeout_seconds
        try:
            yield
        finally:
            self._of_thread.ends_at = None

    def request(self, method: Any, url: str, *args: Any, **options: Any) -> Response:
        """As the library's, but in time."""
        ends_at = getattr(self._of_thread, "ends_at", None)
        assert ends_at is not None, "a request without a deadline"
        left = ends_at - time.monotonic()
        if left <= 0:
            raise Timeout("no time is left")
        return super().request(method, self._redirected(url), *args, **{**options, "timeout": left})


@contextmanager
def failures_in_short() -> Iterator[None]:
    """Turn what the HTTP client raises into `ProviderFailed`."""
    try:
        yield
    except Timeout as error:
        raise ProviderFailed("timeout") from error
    except (RequestException, OSError) as error:
        raise ProviderFailed("unreachable") from error


def read_object(response: Response, *, also: tuple[int, ...] = ()) -> dict[str, Any]:
    """The JSON object of an answer with status 200 or one of `also`; decimals as they stand.

    Raises:
        ProviderThrottled: status 429.
        ProviderFailed: another status, or no JSON object.
    """
    if response.status_code == _TOO_MANY:
        raise ProviderThrottled
    if response.status_code not in (_OK, *also):
        raise ProviderFailed(f"http_{response.status_code}")
    try:
        document = json.loads(response.content, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise ProviderFailed("malformed") from error
    if not isinstance(document, dict):
        raise ProviderFailed("malformed")
    return document
