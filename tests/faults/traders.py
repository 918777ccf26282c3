"""Clients of a venue that is being killed: they send, retry, and remember what was acknowledged."""

import http.client
import json
import random
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

VALID_UNTIL = "2099-01-01T00:00:00Z"
# Longer than the venue's own longest wait for an engine, after which it answers 504.
_TIMEOUT_SECONDS = 10.0
_PAUSE_SECONDS = 0.02
_RETRY_SECONDS = 0.1
# By design while something is down; whatever else is no 2xx is a finding.
_BY_DESIGN = (503, 504)


class NoAnswer(Exception):
    """The connection broke, or nothing came in time: what became of the request is not known."""


@dataclass(frozen=True)
class Answer:
    """The status and the parsed body of an answer."""

    status: int
    document: Any


class Caller:
    """A key with one keep-alive connection, opened anew after an error."""

    def __init__(self, port: int, key: str) -> None:
        self._key = key
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS)

    def call(self, method: str, path: str, body: Any = None) -> Answer:
        """Send one request and wait for its answer.

        Raises:
            NoAnswer: there is none.
        """
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body)
        try:
            self._connection.request(method, path, data, headers)
            answer = self._connection.getresponse()
            raw = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise NoAnswer(f"{type(error).__name__}: {error}") from error
        return Answer(answer.status, json.loads(raw) if raw else None)

    def get(self, path: str) -> Answer:
        """`call` with GET."""
        return self.call("GET", path)

    def post(self, path: str, body: Any = None) -> Answer:
        """`call` with POST."""
        return self.call("POST", path, body)


@dataclass
class Memory:
    """What a trader was told."""

    sent: int = 0
    acknowledged: list[str] = field(default_factory=list)
    canceled: list[str] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    slowest_seconds: float = 0.0


class Trader(ABC, threading.Thread):
    """Sends until it is told to stop."""

    def __init__(self, port: int, key: str, name: str, symbol: str) -> None:
        super().__init__(name=name, daemon=True)
        self.memory = Memory()
        self.stopping = threading.Event()
        self._caller = Caller(port, key)
        self._random = random.Random(name)
        self._symbol = symbol

    def run(self) -> None:
        while not self.stopping.is_set():
            self._turn()
            time.sleep(_PAUSE_SECONDS)

    @abstractmethod
    def _turn(self) -> None:
        """Do one thing."""

    def _call(self, path: str, body: Any = None) -> Answer | None:
        """POST; None when it is not known what became of it, or nothing did."""
        began = time.monotonic()
        try:
            answer = self._caller.post(path, body)
        except NoAnswer as error:
            self.memory.statuses[f"none ({type(error.__cause__).__name__})"] += 1
            time.sleep(_RETRY_SECONDS)
            return None
        finally:
            took = time.monotonic() - began
            self.memory.slowest_seconds = max(self.memory.slowest_seconds, took)
        self.memory.statuses[str(answer.status)] += 1
        if answer.status >= 300 and answer.status not in _BY_DESIGN:
            self.memory.findings.append(f"{path}: {answer.status} {answer.document}")
        return answer

    def _terms(self) -> tuple[bool, int, int]:
        """Is a buy, a price in cents that may rest or cross, a quantity."""
        draw = self._random
        return draw.random() < 0.5, 10_000 + draw.randint(-10, 10), draw.randint(1, 20)


class ClassicTrader(Trader):
    """A credit client of the classic dialect: places, and cancels a third of what was taken."""

    @property
    def document_number(self) -> str:
        """The client's document, its own among all traders."""
        return self.name

    def _turn(self) -> None:
        if self.memory.acknowledged and self._random.random() < 0.25:
            self._cancel(self._random.choice(self.memory.acknowledged[-50:]))
        else:
            self._place()

    def _place(self) -> None:
        is_buy, cents, quantity = self._terms()
        body: dict[str, Any] = {
            "document_number": self.document_number,
            "symbol": self._symbol,
            "side": "bid" if is_buy else "ask",
            "quantity": quantity,
        }
        if self._random.random() < 0.1:
            body["order_type"] = "market"
        else:
            body |= {"price": cents, "valid_until": VALID_UNTIL}
        self.memory.sent += 1
        answer = self._call("/orders", body)
        if answer is not None and answer.status == 201:
            self.memory.acknowledged.append(answer.document["order_id"])

    def _cancel(self, order_id: str) -> None:
        answer = self._call(f"/orders/{order_id}/cancel")
        if answer is not None and answer.status == 204:
            self.memory.canceled.append(order_id)


class KeyedTrader(Trader):
    """A prefunded client of /api/v1: repeats an order under its key until it knows its outcome."""

    def __init__(self, port: int, key: str, name: str, symbol: str, account_id: int) -> None:
        super().__init__(port, key, name, symbol)
        self._account_id = account_id
        # Order ids by client_order_id; an order that was refused has none here.
        self.orders: dict[str, str] = {}
        self.repeats = 0

    def _turn(self) -> None:
        is_buy, cents, quantity = self._terms()
        key = f"{self.name}-{self.memory.sent}"
        body = {
            "account_id": self._account_id,
            "symbol": self._symbol,
            "side": "BUY" if is_buy else "SELL",
            "limit_price": f"{cents // 100}.{cents % 100:02}",
            "quantity": quantity,
            "client_order_id": key,
        }
        self.memory.sent += 1
        while not self._is_settled(key, self._call("/api/v1/orders", body)):
            self.repeats += 1
            time.sleep(_RETRY_SECONDS)
            if self.stopping.is_set() and self.repeats > 1_000:
                return

    def _is_settled(self, key: str, answer: Answer | None) -> bool:
        """Whether the outcome of this key is known for good."""
        if answer is None:
            return False
        if answer.status in (200, 201):
            self.orders[key] = answer.document["id"]
            self.memory.acknowledged.append(answer.document["id"])
            return True
        # Refused for good: asking again would get the same answer.
        return answer.status == 422
