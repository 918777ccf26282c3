"""What web and engine say to each other: commands on a shard's stream, outcomes back to web.

Pure. Encoded with msgpack as arrays. Ids travel as 16 bytes, prices as ticks, quantities as lots,
instants as microseconds since 1970 (UTC), money as units of 10^-8.
"""

from typing import Any

import msgspec


class Command(msgspec.Struct, array_like=True, tag=True, frozen=True, gc=False):
    """Base of the commands. `reply_to` names the web process that waits; empty: nobody does."""

    command_id: bytes
    reply_to: str


class _OrderCommand(Command, frozen=True, gc=False):
    """What all commands that make an order begin with.

    `window_ms` is how old the command may be when the engine takes it.
    """

    account_id: int
    broker_id: bytes
    instrument_id: int
    side: int
    order_type: int
    time_in_force: int
    price_ticks: int | None
    quantity_lots: int
    valid_until: int | None
    client_order_id: str | None
    window_ms: int


class PlaceOrder(_OrderCommand, tag="place", frozen=True, gc=False):
    """Accept, match and store one order; its id is `command_id`."""

    # Digests of an Idempotency-Key with its owner, and of the request that it was sent with.
    request_key: bytes | None = None
    request_fingerprint: bytes | None = None


class DealPerpetual(PlaceOrder, tag="deal.2", frozen=True, gc=False):
    """An order for a perpetual that the dealer's account fills whole at the mark price, or refuses.

    A limit price must be as good as the mark or better for the dealer.
    """

    dealer_account_id: int = 0
    dealer_broker_id: bytes = b""


class _DealPerpetualV1(_OrderCommand, tag="deal", frozen=True, gc=False):
    """`DealPerpetual` before orders had request keys; an engine may still find it in its stream."""

    dealer_account_id: int
    dealer_broker_id: bytes


class SetMarkPrice(Command, tag="mark", frozen=True, gc=False):
    """Let a perpetual's mark price be another from now on; `as_of`: of when it is.

    One that jumps beyond the instrument's limit must be forced.
    """

    instrument_id: int
    price_ticks: int
    source: str
    as_of: int
    actor: str
    is_forced: bool


class LiquidateAccount(Command, tag="liquidate", frozen=True, gc=False):
    """Close what an account can carry no more, if its equity is below the maintenance margin.

    The id of the command becomes that of the liquidation. What nobody else takes goes to the
    position of the insurance fund.
    """

    account_id: int
    asset_id: int
    fund_account_id: int
    actor: str


class ReduceFund(Command, tag="reduce-fund", frozen=True, gc=False):
    """Close what the insurance fund holds of a perpetual, as far as the book pays the mark."""

    instrument_id: int
    fund_account_id: int


class FixFunding(Command, tag="funding", frozen=True, gc=False):
    """Fix what every position of a perpetual pays or gets for the interval that ended at `due_at`.

    The id of the command becomes that of the funding. `rate` in 10^-8.
    """

    instrument_id: int
    due_at: int
    rate: int
    sample_count: int


class CancelOrder(Command, tag="cancel", frozen=True, gc=False):
    """Cancel an order of `broker_id` (of `account_id`, where the key is bound to one).

    `reason` is a value of `orders.types.Reason`.
    """

    order_id: bytes
    broker_id: bytes
    account_id: int | None
    reason: str = "by_user"


class ExpireDue(Command, tag="expire", frozen=True, gc=False):
    """Expire what is past its `valid_until`: the sweep's backstop for the engine's own clock."""


class ResetVenue(Command, tag="reset", frozen=True, gc=False):
    """Empty trading data and ledger, and fund the demo anew."""


AnyCommand = (
    PlaceOrder
    | DealPerpetual
    | CancelOrder
    | SetMarkPrice
    | LiquidateAccount
    | ReduceFund
    | FixFunding
    | ExpireDue
    | ResetVenue
)


class FillFact(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One fill of the order that the outcome is about."""

    trade_id: bytes
    price_ticks: int
    quantity_lots: int
    fee: int


class OrderOutcome(msgspec.Struct, array_like=True, tag="order", frozen=True, gc=False):
    """The committed state of a placed order. `facts`: what a refusal was about, in units."""

    command_id: bytes
    status: str
    reason: str
    filled_lots: int
    taker_notional: int
    taker_fee: int
    created_at: int
    fills: list[FillFact]
    facts: dict[str, int] | None


class DuplicateOutcome(msgspec.Struct, array_like=True, tag="duplicate", frozen=True, gc=False):
    """The order was there before, under its id or one of its keys: look it up.

    `is_replay`: under its Idempotency-Key, so the first answer is wanted again.
    """

    command_id: bytes
    order_id: bytes
    is_replay: bool = False


class CommandOutcome(msgspec.Struct, array_like=True, tag="command", frozen=True, gc=False):
    """The committed result of a command that is no order, a value of `orders.types.Result`.

    `facts`: what a refusal was about, in units; not for an outcome that was looked up.
    """

    command_id: bytes
    result: str
    facts: dict[str, int] | None = None


class ErrorOutcome(msgspec.Struct, array_like=True, tag="error", frozen=True, gc=False):
    """The command was not executed, and nothing was written: `code` is one of those below."""

    command_id: bytes
    code: str


ENGINE_ERROR = "engine_error"
# Rows that it needs were locked by somebody else for too long.
ROWS_LOCKED = "account_locked"
# The Idempotency-Key was sent before with another request; the client_order_id without this key.
REQUEST_KEY_REUSED = "idempotency_key_reused"
CLIENT_ORDER_ID_TAKEN = "client_order_id_conflict"

AnyOutcome = OrderOutcome | DuplicateOutcome | CommandOutcome | ErrorOutcome


def kind_of(command: Command) -> str:
    """What kind of command it is: the tag that it travels with, and its result is stored under."""
    return str(command.__struct_config__.tag)


_encoder = msgspec.msgpack.Encoder()
_command_decoder = msgspec.msgpack.Decoder(AnyCommand | _DealPerpetualV1)
_outcomes_decoder = msgspec.msgpack.Decoder(list[AnyOutcome])


def encode(value: Any) -> bytes:
    """`value` (a command, or a list of outcomes) as msgpack."""
    return _encoder.encode(value)


def decode_command(data: bytes) -> AnyCommand:
    """The command that `encode` made `data` of.

    Raises:
        msgspec.DecodeError: `data` is no command.
    """
    command = _command_decoder.decode(data)
    if isinstance(command, _DealPerpetualV1):
        return DealPerpetual(**msgspec.structs.asdict(command))
    return command


def decode_outcomes(data: bytes) -> list[AnyOutcome]:
    """The outcomes that `encode` made `data` of."""
    return _outcomes_decoder.decode(data)
