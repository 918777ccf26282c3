"""Fixtures that tests of orders share with those of the whole venue: name them in a conftest."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from brokers.services import RegisteredBroker, register_broker
from brokers.types import Principal
from marketdata.services import list_symbol
from orders.engine.process.runner import Engine
from orders.gateway.process import drop_link
from orders.services.place import place_order
from orders.tests.live_engine import live_engine
from orders.types import PlacedOrder
from tests.support.lanes import LaneClient, both_lanes

__all__ = ["both_lanes"]


@pytest.fixture(scope="session", autouse=True)
def _quiet_end() -> Iterator[None]:
    """The link is closed before the end of the run stops its servers."""
    yield
    drop_link()


@pytest.fixture
def engine(transactional_db: None, valkey: Any) -> Iterator[Engine]:
    """A living engine of shard 0 on an empty venue."""
    with live_engine() as running:
        yield running


class Api:
    """A client of the HTTP interface with one key."""

    def __init__(self, key: str | None, prefix: str = "") -> None:
        self.key = key
        self._client = LaneClient(raise_request_exception=False)
        self._prefix = prefix
        self._headers = {} if key is None else {"authorization": f"Bearer {key}"}

    def get(self, path: str, **query: Any) -> Any:
        return self._client.get(self._prefix + path, query, headers=self._headers)

    def post(self, path: str, body: Any = None, *, raw: bytes | None = None) -> Any:
        if raw is None:
            raw = b"" if body is None else json.dumps(body).encode()
        return self._client.post(
            self._prefix + path,
            raw,
            content_type="application/json",
            headers=self._headers,
        )

    def delete(self, path: str) -> Any:
        return self._client.delete(self._prefix + path, headers=self._headers)


def register(name: str, **fields: Any) -> RegisteredBroker:
    """A broker with its first key."""
    return register_broker(name=name, is_self_registered=True, **fields)


def principal_of(name: str, **fields: Any) -> Principal:
    """The caller behind the first key of a new broker."""
    registered = register(name, **fields)
    return Principal(
        key_id=registered.api_key.id,
        broker_id=registered.broker.id,
        broker_name=name,
        account_id=None,
        scopes=frozenset({"read", "trade"}),
    )


def place(
    principal: Principal, side: str, price: str | None, quantity: str, /, **fields: Any
) -> PlacedOrder:
    values: dict[str, Any] = {
        "principal": principal,
        "document_number": "1",
        "instrument": list_symbol("ACME"),
        "side": side,
        "order_type": "MARKET" if price is None else "LIMIT",
        "time_in_force": "IOC" if price is None else "GTC",
        "limit_price": None if price is None else Decimal(price),
        "quantity": Decimal(quantity),
        "valid_until": None,
        "client_order_id": None,
    }
    return place_order(**(values | fields))


def state_of(placed: PlacedOrder) -> tuple[Any, ...]:
    """Status, filled quantity and mean price of an answer."""
    order = placed.order
    return order.status, order.filled_quantity, order.average_fill_price


@pytest.fixture
def alpha(engine: Engine) -> Principal:
    """A broker of a living venue."""
    return principal_of("Alpha")


@pytest.fixture
def beta(engine: Engine) -> Principal:
    """Another one."""
    return principal_of("Beta")
