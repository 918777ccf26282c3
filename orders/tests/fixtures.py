"""Fixtures that tests of orders share with those of the whole venue: name them in a conftest."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from brokers.services import RegisteredBroker, register_broker
from orders.engine.runner import Engine
from orders.gateway import admission
from orders.tests.live_engine import live_engine


@pytest.fixture(autouse=True)
def _free_seats() -> None:
    """No test waits in the seats of another one's settings."""
    admission._forget_seats()


@pytest.fixture
def engine(transactional_db: None, valkey: Any) -> Iterator[Engine]:
    """A living engine of shard 0 on an empty venue."""
    with live_engine() as running:
        yield running


class Api:
    """A client of the HTTP interface with one key."""

    def __init__(self, key: str | None, prefix: str = "") -> None:
        self.key = key
        self._client = Client(raise_request_exception=False)
        self._prefix = prefix
        self._headers = {} if key is None else {"authorization": f"Bearer {key}"}

    def get(self, path: str, **query: Any) -> Any:
        return self._client.get(self._prefix + path, query, headers=self._headers)

    def post(self, path: str, body: Any = None, *, raw: bytes | None = None) -> Any:
        if raw is None and body is None:
            return self._client.post(self._prefix + path, headers=self._headers)
        return self._client.post(
            self._prefix + path,
            raw if raw is not None else body,
            content_type="application/json",
            headers=self._headers,
        )

    def delete(self, path: str) -> Any:
        return self._client.delete(self._prefix + path, headers=self._headers)


def register(name: str, **fields: Any) -> RegisteredBroker:
    """A broker with its first key."""
    return register_broker(name=name, is_self_registered=True, **fields)
