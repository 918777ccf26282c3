"""Fixtures of every test. The servers behind them are started by `tests.servers`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from common.caching import clear_all_caches

if TYPE_CHECKING:
    import redis
    from django.test import Client
    from pytest_django import Settings


@pytest.fixture(autouse=True)
def _fresh_memory() -> None:
    """No test sees what another one left in this process's caches."""
    clear_all_caches()


@pytest.fixture
def client() -> "Client":
    """A test client that holds every answer against the OpenAPI document."""
    from tests.contract import ContractClient

    return ContractClient()


@pytest.fixture
def valkey() -> "Iterator[redis.Redis]":
    """A client of a Valkey that holds nothing under this run's prefix, before and after."""
    from common.valkey import get_client

    client = get_client()
    _remove_own_keys(client)
    yield client
    _remove_own_keys(client)


@pytest.fixture
def lost_valkey(settings: "Settings") -> Iterator[None]:
    """A Valkey that has just died."""
    from common.valkey import get_client
    from embedded.services import temporary_services

    with temporary_services(postgres=False) as services:
        settings.REDIS_URL = services.redis_url
        get_client.cache_clear()
        services.kill_valkey()
        yield
    get_client.cache_clear()


def _remove_own_keys(client: "redis.Redis") -> None:
    """Delete this run's keys alone: the server may be shared with others."""
    from django.conf import settings

    for name in client.scan_iter(match=f"{settings.REDIS_PREFIX}*", count=1000):
        client.unlink(name)
