"""The requests of P1, as bytes: new orders, cancels of open ones, and the four kinds of reads.

Classic dialect. Orders are those of `benchmarks.flow`; a cancel or a question is about an order
that was acknowledged before, by the key that placed it.
"""

import json
import random
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from benchmarks.flow import BROKERS, CANCELS_PER_ORDER, SYMBOLS, Flow

READ_SHARE = 0.28
# Of the reads; what is left asks for balances.
STATUS_SHARE, PRICE_SHARE, BOOK_SHARE = 0.35, 0.30, 0.25
ORDERS_PER_SECOND_AT_100 = 700
REQUESTS_PER_SECOND_AT_100 = ORDERS_PER_SECOND_AT_100 * (1 + CANCELS_PER_ORDER) / (1 - READ_SHARE)
DOCUMENTS_PER_BROKER = 10
PRIMERS = BROKERS * DOCUMENTS_PER_BROKER
_RECENT = 5_000
_OPEN_MAX = 20_000

EXPECTED = {
    "order": {201},
    "cancel": {204},
    "status": {200},
    # Before the first trade of a symbol there is no price.
    "price": {200, 404},
    "book": {200},
    "balance": {200},
}


class Request(NamedTuple):
    """One request: its kind, its bytes, and whose it is."""

    kind: str
    data: bytes
    broker: int
    # Whether it is an order that stays on the book, as far as is known when it is sent.
    stays: bool = False


class Draft(NamedTuple):
    """A new order before it is sent: `body` ends before its `valid_until`, or before its brace.

    `lifetime_seconds` is None for a market order.
    """

    broker: int
    body: str
    lifetime_seconds: float | None


class Traffic:
    """Draws requests. Seeded, but what is canceled depends on what was acknowledged."""

    def __init__(self, seed: int, keys: list[str], *, orders_only: bool = False) -> None:
        self._flow = Flow(seed)
        self._random = random.Random(seed + 1)
        self._orders_only = orders_only
        self._heads = [f"Host: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n" for key in keys]
        # (order id, broker): those that may be canceled, and those that are asked for.
        self._open: list[tuple[str, int]] = []
        self._known: list[tuple[str, int]] = []
        self.acknowledged: list[str] = []
        self.canceled: list[str] = []

    def next(self) -> Request:
        """The next request of the mix; an order as long as there is nothing to ask about."""
        draw = self._random.random()
        if self._orders_only or not self._known:
            return self._order()
        if draw < READ_SHARE:
            return self._read(draw / READ_SHARE)
        share_of_cancels = CANCELS_PER_ORDER / (1 + CANCELS_PER_ORDER)
        if (draw - READ_SHARE) / (1 - READ_SHARE) < share_of_cancels and self._open:
            return self._cancel()
        return self._order()

    def primer(self, number: int) -> Request:
        """One of `PRIMERS` orders that open every account and, with open listing, list every
        symbol; far from the market."""
        broker, document = divmod(number, DOCUMENTS_PER_BROKER)
        terms = self._terms(broker, document, number % SYMBOLS, is_buy=True, quantity=1)
        return self._complete(Draft(broker, f'{terms},"price":1', self._lifetime()))

    def note_answer(self, request: Request, status: int, body: bytes) -> None:
        """Learn from an answer what was acknowledged."""
        if request.kind == "order" and status == 201:
            order_id = json.loads(body)["order_id"]
            self.acknowledged.append(order_id)
            known = (order_id, request.broker)
            _remember(self._known, known, _RECENT, self._random)
            if request.stays:
                _remember(self._open, known, _OPEN_MAX, self._random)
        elif request.kind == "cancel" and status == 204:
            self.canceled.append(request.data.split(b"/", 3)[2].decode())

    def draft(self) -> Draft:
        """The next new order of the mix, for a generator that sends it later."""
        symbol, is_buy, cents, quantity = self._flow.order()
        broker = self._random.randrange(len(self._heads))
        document = self._random.randrange(DOCUMENTS_PER_BROKER)
        terms = self._terms(broker, document, symbol, is_buy=is_buy, quantity=quantity)
        if cents is None:
            return Draft(broker, terms + ',"order_type":"market"', None)
        return Draft(broker, f'{terms},"price":{cents}', self._lifetime())

    def _order(self) -> Request:
        return self._complete(self.draft())

    def _complete(self, draft: Draft) -> Request:
        """The request that sends a new order now."""
        if draft.lifetime_seconds is None:
            data = self._post("/orders", draft.broker, draft.body + "}")
            return Request("order", data, draft.broker)
        until = datetime.now(UTC) + timedelta(seconds=draft.lifetime_seconds)
        body = f'{draft.body},"valid_until":"{until.isoformat()}"}}'
        return Request("order", self._post("/orders", draft.broker, body), draft.broker, stays=True)

    @staticmethod
    def _terms(broker: int, document: int, symbol: int, *, is_buy: bool, quantity: int) -> str:
        """The beginning of an order's body."""
        return (
            f'{{"document_number":"{broker}-{document}","side":"{"bid" if is_buy else "ask"}",'
            f'"symbol":"SYM{symbol}","quantity":{quantity}'
        )

    def _lifetime(self) -> float:
        """Seconds: a tenth ends within one, a fifth within ten, the rest in a day."""
        draw = self._random.random()
        if draw < 0.1:
            return self._random.uniform(0.5, 1)
        if draw < 0.3:
            return self._random.uniform(5, 10)
        return 86_400

    def _cancel(self) -> Request:
        order_id, broker = _take(self._open, self._random)
        return Request("cancel", self._post(f"/orders/{order_id}/cancel", broker, ""), broker)

    def _read(self, draw: float) -> Request:
        if draw < STATUS_SHARE:
            order_id, broker = self._random.choice(self._known)
            return self._get("status", f"/orders/{order_id}", broker)
        broker = self._random.randrange(len(self._heads))
        symbol = self._flow.symbol()
        if draw < STATUS_SHARE + PRICE_SHARE:
            return self._get("price", f"/stocks/SYM{symbol}/price", broker)
        if draw < STATUS_SHARE + PRICE_SHARE + BOOK_SHARE:
            return self._get("book", f"/stocks/SYM{symbol}/book", broker)
        return self._get("balance", "/balance", broker)

    def _post(self, path: str, broker: int, body: str) -> bytes:
        head = f"POST {path} HTTP/1.1\r\n{self._heads[broker]}"
        described = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        return f"{head}{described}{body}".encode()

    def _get(self, kind: str, path: str, broker: int) -> Request:
        return Request(kind, f"GET {path} HTTP/1.1\r\n{self._heads[broker]}\r\n".encode(), broker)


def _remember(
    memory: list[tuple[str, int]], item: tuple[str, int], size: int, draw: random.Random
) -> None:
    """Keep `item`, in the place of any other once `size` are there."""
    if len(memory) < size:
        memory.append(item)
    else:
        memory[draw.randrange(size)] = item


def _take(memory: list[tuple[str, int]], draw: random.Random) -> tuple[str, int]:
    """Take one out, any."""
    index = draw.randrange(len(memory))
    memory[index], memory[-1] = memory[-1], memory[index]
    return memory.pop()
