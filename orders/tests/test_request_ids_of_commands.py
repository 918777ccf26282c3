"""A command carries the id of its request to the engine, in a field of its own beside it."""

from typing import Any

import hiredis
import pytest

from common.request_ids import current_request_id, outside_requests, serving
from orders.commands import SetMarkPrice, encode
from orders.engine.process.inbox import _received
from orders.gateway.link import _packed
from orders.streams import COMMAND_FIELD, REQUEST_FIELD, command_stream

COMMAND = SetMarkPrice(
    command_id=b"x" * 16,
    reply_to="",
    instrument_id=1,
    price_ticks=1,
    source="test",
    as_of=0,
    actor="",
    is_forced=False,
)


@pytest.mark.parametrize("request_id", ["", "r-1"])
def test_it_is_written_with_the_command_and_read_with_it(request_id: str) -> None:
    fields = [COMMAND_FIELD, encode(COMMAND)]
    fields += [REQUEST_FIELD, request_id.encode()] if request_id else []

    with serving(request_id):
        packed = _packed(COMMAND, 0)
    received = _received([b"1-1", fields], 5)

    written: Any = ("XADD", command_stream(0), "*", *fields)
    assert packed == hiredis.pack_command(written)
    assert received is not None
    assert (received.command, received.request_id) == (COMMAND, request_id)


def test_what_serves_all_requests_is_of_none() -> None:
    with serving("r-1"):
        assert outside_requests().run(current_request_id) == ""
        assert current_request_id() == "r-1"
