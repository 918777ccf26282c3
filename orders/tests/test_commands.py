"""Commands as they travel: an engine reads those that an older web process has sent."""

from orders.commands import DealPerpetual, PlaceOrder, decode_command, encode

# As they were before orders had request keys.
_PLACE = [
    "place", b"\x01" * 16, "web", 7, b"\x02" * 16, 3, 1, 1, 2, 1_000, 5, 99, "mine", 5_000,
]  # fmt: skip
_DEAL = ["deal", *_PLACE[1:], 8, b"\x03" * 16]


def test_an_order_without_request_keys_is_read():
    command = decode_command(encode(_PLACE))
    assert type(command) is PlaceOrder
    assert (command.account_id, command.window_ms) == (7, 5_000)
    assert (command.request_key, command.request_fingerprint) == (None, None)


def test_a_deal_of_the_former_layout_is_read():
    command = decode_command(encode(_DEAL))
    assert isinstance(command, DealPerpetual)
    assert (command.window_ms, command.request_key) == (5_000, None)
    assert (command.dealer_account_id, command.dealer_broker_id) == (8, b"\x03" * 16)


def test_a_command_comes_back_as_it_was_sent():
    former = decode_command(encode(_DEAL))
    assert decode_command(encode(former)) == former
