"""Drives a real engine, batch by batch, over the real stream, database and read side."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import redis

from brokers.models import Broker, Funding, TradingAccount
from common.database import database_dsn
from common.ids import new_uuid
from common.valkey import get_client
from ledger.models import LedgerAccount
from ledger.services import deposit
from marketdata.models import Asset, Instrument
from orders.commands import (
    AnyCommand,
    CancelOrder,
    ExpireDue,
    PlaceOrder,
    decode_outcomes,
    encode,
)
from orders.engine.process.runner import Engine, microseconds_now
from orders.matching.types import OrderType, Side, TimeInForce
from orders.models import Order
from orders.streams import COMMAND_FIELD, command_stream, reply_channel

REPLY_TO = "harness"
BUY, SELL = Side.BUY, Side.SELL
_REPLY_SECONDS_MAX = 2


class Clock:
    """A clock that stands until it is set."""

    def __init__(self, now: int | None = None) -> None:
        self.now = microseconds_now() if now is None else now

    def __call__(self) -> int:
        return self.now


@dataclass
class Venue:
    """An equity priced in USD (tick 0.01, lot 1) and what the tests trade it with."""

    usd: Asset
    share: Asset
    instrument: Instrument


def make_venue(**fields: Any) -> Venue:
    """One listed equity; `fields` are of the instrument."""
    usd, _ = Asset.objects.get_or_create(code="USD", defaults={"kind": "FIAT", "scale": 4})
    share = Asset.objects.create(code="ACME", kind="SECURITY", scale=0)
    values: dict[str, Any] = {
        "symbol": "ACME",
        "kind": "EQUITY",
        "tick_size": Decimal("0.01"),
        "lot_size": Decimal(1),
        "price_rule": "SELLER",
    }
    instrument = Instrument.objects.create(base_asset=share, quote_asset=usd, **(values | fields))
    return Venue(usd, share, instrument)


def make_account(
    funding: str = Funding.CREDIT, limit: Decimal | None = None, name: str = "Broker"
) -> TradingAccount:
    """An account at a broker of its own."""
    broker = Broker.objects.create(name=name)
    return TradingAccount.objects.create(
        broker=broker, document_number="1", funding=funding, credit_limit=limit
    )


def fund(account: TradingAccount, asset: str, amount: str) -> None:
    """Bring money or securities in."""
    deposit(
        account_id=account.id,
        asset=asset,
        amount=Decimal(amount),
        source_id=new_uuid(),
        actor="test",
    )


def balance(account: TradingAccount, asset: str) -> tuple[Decimal, Decimal]:
    """(posted, held) of an account's ledger account."""
    return LedgerAccount.objects.values_list("posted_balance", "held_amount").get(
        trading_account=account, asset__code=asset
    )


def change(instrument: Instrument, **fields: Any) -> None:
    """Change the rules of an instrument behind the engine's back."""
    Instrument.objects.filter(id=instrument.id).update(**fields)


class Harness:
    """An engine that leads a shard and takes one batch at each `turn`."""

    def __init__(
        self,
        instrument: Instrument,
        *,
        clock: Callable[[], int] = microseconds_now,
        shard: int = 0,
    ) -> None:
        self.instrument = instrument
        self.shard = shard
        self.clock = clock
        self.client: redis.Redis = get_client()
        self.replies = self.client.pubsub(ignore_subscribe_messages=True)
        self.replies.subscribe(reply_channel(REPLY_TO))
        self.replies.get_message(timeout=1)  # the acknowledgement
        self.outcomes: dict[bytes, Any] = {}
        self.engine = self._started()

    def _started(self) -> Engine:
        engine = Engine(database_dsn(), self.shard, clock=self.clock)
        assert engine.lead()
        return engine

    def stop(self) -> None:
        self.engine.close()
        self.replies.close()

    def restart(self) -> None:
        """A new engine process, as after a crash: nothing is carried over in memory."""
        self.engine.close()
        self.engine = self._started()

    # --- commands ---------------------------------------------------------------------------------

    def place_command(
        self,
        account: TradingAccount,
        side: Side,
        quantity: int,
        price: int | None = None,
        **fields: Any,
    ) -> PlaceOrder:
        """A limit order of `price` cents, or a market order without one."""
        values: dict[str, Any] = {
            "command_id": new_uuid().bytes,
            "reply_to": REPLY_TO,
            "account_id": account.id,
            "broker_id": account.broker_id.bytes,
            "instrument_id": self.instrument.id,
            "side": side,
            "order_type": OrderType.MARKET if price is None else OrderType.LIMIT,
            "time_in_force": TimeInForce.IOC if price is None else TimeInForce.GTC,
            "price_ticks": price,
            "quantity_lots": quantity,
            "valid_until": None,
            "client_order_id": None,
            "window_ms": 5_000,
        }
        return PlaceOrder(**(values | fields))

    def send(self, *commands: AnyCommand) -> None:
        """Put commands in the stream; the next `turn` takes them as one batch."""
        for command in commands:
            self.client.xadd(command_stream(self.shard), {COMMAND_FIELD: encode(command)})

    def turn(self) -> None:
        """One batch of the engine, and the answers that are there."""
        self.engine.turn()
        self.engine._publisher.confirm()
        while self._hear(timeout=0):
            pass

    def _hear(self, timeout: float) -> bool:
        message = self.replies.get_message(timeout=timeout)
        for outcome in decode_outcomes(message["data"]) if message else ():
            self.outcomes[outcome.command_id] = outcome
        return message is not None

    def carry_out(self, *commands: AnyCommand) -> list[Any]:
        """Send commands as one batch; their outcomes in that order."""
        self.send(*commands)
        for command in commands:
            self.outcomes.pop(command.command_id, None)
        self.turn()
        return self.answers(*commands)

    def answers(self, *commands: AnyCommand) -> list[Any]:
        """The outcomes of commands that were carried out."""
        deadline = time.monotonic() + _REPLY_SECONDS_MAX
        while not all(command.command_id in self.outcomes for command in commands):
            assert time.monotonic() < deadline, "a command was not answered"
            self._hear(timeout=0.1)
        return [self.outcomes[command.command_id] for command in commands]

    def place(
        self,
        account: TradingAccount,
        side: Side,
        quantity: int,
        price: int | None = None,
        **fields: Any,
    ) -> Any:
        """Place one order in a batch of its own; its outcome."""
        return self.carry_out(self.place_command(account, side, quantity, price, **fields))[0]

    def cancel(self, account: TradingAccount, order_id: bytes, **fields: Any) -> str:
        """Cancel an order in a batch of its own; the result."""
        command = self.cancel_command(account, order_id, **fields)
        return self.carry_out(command)[0].result

    def cancel_command(
        self, account: TradingAccount, order_id: bytes, **fields: Any
    ) -> CancelOrder:
        command = CancelOrder(
            new_uuid().bytes, REPLY_TO, order_id, account.broker_id.bytes, account_id=None
        )
        return msgspec.structs.replace(command, **fields)

    def expire(self) -> str:
        return self.carry_out(ExpireDue(new_uuid().bytes, REPLY_TO))[0].result


def stored(command_or_outcome: Any) -> Order:
    """The order of a command, as the database has it."""
    return Order.objects.get(id=UUID(bytes=command_or_outcome.command_id))
