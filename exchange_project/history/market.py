"""Draws orders and lets them trade: who bought what from whom, and what became of each order. Pure.

Each instrument has at most one resting order that trades. An order that arrives takes the other
side of it, at the same price, and rests with what is left; so nearly every order brings a trade,
and no book is ever crossed. A tenth of the orders never trade. Money is in units of 10^-8, prices
in ticks, quantities in lots, instants in microseconds.
"""

from bisect import bisect
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random
from typing import NamedTuple

from orders.calculations import buy_hold, fee_on
from orders.types import Reason

MAKER_RATE, TAKER_RATE = 20_000, 50_000
_ZERO_ID = 0x7 << 76 | 0x2 << 62
_ZIPF_EXPONENT = 0.95
_FIRST_PRICE = 10_000
_LOWEST_PRICE = 1_000
_QUIET_SHARE = 0.10
_MARKET_SHARE = 0.05
# A resting order is canceled and the price moves on.
_MOVE_SHARE = 1 / 16
_KEYED_SHARE = 0.2
_DAY = 86_400_000_000
_SECOND = 1_000_000


class HistoryOrder:
    """An order and what became of it; `account` and `symbol` are indexes."""

    __slots__ = (
        "account",
        "client_order_id",
        "created_at",
        "filled",
        "hold",
        "is_buy",
        "maker_fee",
        "maker_notional",
        "order_id",
        "price",
        "quantity",
        "reason",
        "sequence",
        "status",
        "symbol",
        "taker_fee",
        "taker_notional",
        "updated_at",
        "valid_until",
    )

    def __init__(
        self, order_id: bytes, account: int, symbol: int, is_buy: bool, price: int | None,
        quantity: int, sequence: int, created_at: int,
    ) -> None:  # fmt: skip
        self.order_id = order_id
        self.account = account
        self.symbol = symbol
        self.is_buy = is_buy
        self.price = price
        self.quantity = quantity
        self.sequence = sequence
        self.created_at = self.updated_at = created_at
        self.valid_until: int | None = None
        self.client_order_id: str | None = None
        self.status = "OPEN"
        self.reason = ""
        self.filled = self.hold = 0
        self.maker_notional = self.taker_notional = self.maker_fee = self.taker_fee = 0

    @property
    def remaining(self) -> int:
        return self.quantity - self.filled


class HistoryTrade(NamedTuple):
    """A trade of two orders."""

    trade_id: bytes
    buy: HistoryOrder
    sell: HistoryOrder
    price: int
    quantity: int
    notional: int
    buy_fee: int
    sell_fee: int
    taker_is_buyer: bool
    sequence: int
    executed_at: int


@dataclass(slots=True)
class Events:
    """What happened in a stretch of time: orders that are over (or stay open), and trades."""

    orders: list[HistoryOrder] = field(default_factory=list)
    trades: list[HistoryTrade] = field(default_factory=list)


@dataclass(slots=True)
class _Book:
    price: int = _FIRST_PRICE
    resting: HistoryOrder | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """How many accounts trade how many instruments, and what one tick times one lot is worth."""

    accounts: int
    symbols: int
    factor: int
    lot: int
    fee_unit: int


class Market:
    """The made-up market; the same seed and times give the same history, but for the ids."""

    def __init__(
        self, terms: Terms, *, seed: int, began_at: int, step: int, next_sequence: int
    ) -> None:
        assert terms.accounts > 1, "nobody trades with themselves"
        self._terms = terms
        self._draw = Random(seed)
        weights = [1 / rank**_ZIPF_EXPONENT for rank in range(1, terms.symbols + 1)]
        self._cumulated = list(accumulate(weights))
        self._books = [_Book() for _ in weights]
        self._step = step
        self.now = began_at
        self.next_sequence = next_sequence

    @property
    def resting_count(self) -> int:
        """Orders that rest between two stretches."""
        return sum(book.resting is not None for book in self._books)

    def trade(self, count: int) -> Events:
        """So many orders arrive; the events hold those that are over."""
        events = Events()
        random = self._draw.random
        for _ in range(count):
            order = self._arrive()
            if random() < _QUIET_SHARE:
                self._end_quietly(order, events)
            else:
                self._match(order, events)
        return events

    def pass_by(self, count: int) -> Events:
        """So many orders arrive, and none of them trades."""
        events = Events()
        for _ in range(count):
            self._end_quietly(self._arrive(), events)
        return events

    def cancel_resting(self, events: Events) -> None:
        """Cancel what rests, as part of a stretch that is over."""
        for book in self._books:
            self._cancel(book, events)

    def leave_resting(self) -> Events:
        """What rests stays open: nothing trades with it any more."""
        events = Events()
        for book in self._books:
            order, book.resting = book.resting, None
            if order is not None:
                order.status = "PARTIALLY_FILLED" if order.filled else "OPEN"
                order.hold = self._hold(order)
                events.orders.append(order)
        return events

    def leave_open(self, count: int) -> Events:
        """So many orders arrive, behind the best prices, and stay open."""
        events = Events()
        for _ in range(count):
            order = self._arrive()
            self._step_back(order)
            order.hold = self._hold(order)
            events.orders.append(order)
        return events

    # --- one order --------------------------------------------------------------------------------

    def _arrive(self) -> HistoryOrder:
        draw, random = self._draw, self._draw.random
        self.now += self._step
        symbol = bisect(self._cumulated, random() * self._cumulated[-1])
        sequence = self._next_event()
        order = HistoryOrder(
            (self.now // 1000 << 80 | _ZERO_ID | draw.getrandbits(62)).to_bytes(16),
            int(random() * self._terms.accounts),
            symbol,
            random() < 0.5,
            self._books[symbol].price,
            10 + int(random() * 20) * 10,
            sequence,
            self.now,
        )
        if random() < 0.5:
            order.valid_until = self.now + _DAY
        if random() < _KEYED_SHARE:
            order.client_order_id = f"history-{sequence}"
        return order

    def _match(self, order: HistoryOrder, events: Events) -> None:
        """Trade with what rests, and let the rest take its place."""
        book = self._books[order.symbol]
        if book.resting is not None and self._draw.random() < _MOVE_SHARE:
            self._cancel(book, events)
            book.price = max(_LOWEST_PRICE, book.price + (1 if order.is_buy else -1))
            order.price = book.price
        maker = book.resting
        if maker is None:
            book.resting = order
            return
        order.is_buy = not maker.is_buy
        if order.account == maker.account:
            order.account = (order.account + 1) % self._terms.accounts
        if self._draw.random() < _MARKET_SHARE:
            order.price, order.valid_until = None, None
            order.quantity = min(order.quantity, maker.remaining)
        self._execute(order, maker, book.price, events)
        if not maker.remaining:
            self._close(maker, "FILLED", events)
            book.resting = None
        if not order.remaining:
            self._close(order, "FILLED", events)
        elif book.resting is None:
            book.resting = order

    def _execute(
        self, taker: HistoryOrder, maker: HistoryOrder, price: int, events: Events
    ) -> None:
        quantity = min(taker.remaining, maker.remaining)
        notional, fee_unit = price * quantity * self._terms.factor, self._terms.fee_unit
        taker.filled += quantity
        maker.filled += quantity
        taker.taker_notional += notional
        maker.maker_notional += notional
        total = fee_on(taker.taker_notional, TAKER_RATE, fee_unit)
        taker_fee, taker.taker_fee = total - taker.taker_fee, total
        total = fee_on(maker.maker_notional, MAKER_RATE, fee_unit)
        maker_fee, maker.maker_fee = total - maker.maker_fee, total
        sequence = self._next_event()
        if taker.is_buy:
            buy, sell, buy_fee, sell_fee = taker, maker, taker_fee, maker_fee
        else:
            buy, sell, buy_fee, sell_fee = maker, taker, maker_fee, taker_fee
        events.trades.append(
            HistoryTrade(
                (self.now // 1000 << 80 | _ZERO_ID | sequence).to_bytes(16),
                buy,
                sell,
                price,
                quantity,
                notional,
                buy_fee,
                sell_fee,
                taker.is_buy,
                sequence,
                self.now,
            )
        )

    def _end_quietly(self, order: HistoryOrder, events: Events) -> None:
        """An order that never trades: canceled, expired or rejected."""
        self._step_back(order)
        kind = self._draw.random()
        wait = int(self._draw.random() * _SECOND)
        if kind < 0.6:
            order.reason = Reason.BY_USER.value
            order.updated_at += wait
            self._finish(order, "CANCELED", events)
        elif kind < 0.9:
            order.valid_until = order.updated_at = order.created_at + _SECOND + wait
            order.reason = Reason.VALID_UNTIL_PASSED.value
            self._finish(order, "EXPIRED", events)
        else:
            order.reason = Reason.INSUFFICIENT_FUNDS.value
            self._finish(order, "REJECTED", events)

    def _step_back(self, order: HistoryOrder) -> None:
        """Let an order wait behind the best price of its side."""
        assert order.price is not None
        distance = 1 + int(self._draw.random() * 20)
        order.price += -distance if order.is_buy else distance

    def _cancel(self, book: _Book, events: Events) -> None:
        if book.resting is not None:
            book.resting.reason = Reason.BY_USER.value
            self._close(book.resting, "CANCELED", events)
            book.resting = None

    def _close(self, order: HistoryOrder, status: str, events: Events) -> None:
        order.updated_at = self.now
        self._finish(order, status, events)

    @staticmethod
    def _finish(order: HistoryOrder, status: str, events: Events) -> None:
        order.status = status
        events.orders.append(order)

    def _hold(self, order: HistoryOrder) -> int:
        if not order.is_buy:
            return order.remaining * self._terms.lot
        assert order.price is not None
        notional = order.price * order.remaining * self._terms.factor
        return buy_hold(notional, MAKER_RATE, TAKER_RATE, self._terms.fee_unit)

    def _next_event(self) -> int:
        sequence = self.next_sequence
        self.next_sequence = sequence + 1
        return sequence
