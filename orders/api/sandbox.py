"""How answers go wrong for a sandbox account that wants them to: late, or not at all."""

import errno
import time
from collections.abc import Callable, Iterator

from django.http import HttpResponseBase, StreamingHttpResponse

from brokers.types import Principal
from common.errors import ExchangeError
from orders.services.sandbox import Trigger, delay_seconds, find_trigger_of_request


def answer_as_forced(
    principal: Principal,
    *,
    account_id: int | None,
    document_number: str | None = None,
    client_order_id: str | None,
    answer: Callable[[], HttpResponseBase],
) -> HttpResponseBase:
    """What `answer` says; on a sandbox account later, or lost after it was carried out.

    Raises:
        ExchangeError: what `answer` raises.
    """
    trigger = find_trigger_of_request(
        principal=principal,
        account_id=account_id,
        document_number=document_number,
        client_order_id=client_order_id,
    )
    try:
        response = answer()
    except ExchangeError:
        if trigger == Trigger.DISCONNECT:
            return _no_answer()
        raise
    finally:
        if trigger == Trigger.DELAY and client_order_id is not None:
            time.sleep(delay_seconds(client_order_id))
    return _no_answer() if trigger == Trigger.DISCONNECT else response


def _no_answer() -> StreamingHttpResponse:
    """An answer that breaks before its first byte: the server closes the connection."""
    return StreamingHttpResponse(_broken())


def _broken() -> Iterator[bytes]:
    raise ConnectionResetError(errno.ECONNRESET, "a sandbox account wanted no answer")
    yield b""
