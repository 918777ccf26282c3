"""The engine's connection to Valkey: what it sends once, and what it does when that fails."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from common.valkey import get_client, key
from common.valkey_socket import ValkeySocket
from embedded.services import Services, temporary_services


@pytest.fixture
def server(settings: Any) -> Iterator[Services]:
    with temporary_services(postgres=False) as services:
        settings.REDIS_URL = services.redis_url
        get_client.cache_clear()
        yield services
    get_client.cache_clear()


@pytest.fixture
def valkey(server: Services) -> Iterator[ValkeySocket]:
    connection = ValkeySocket()
    yield connection
    connection.close()


def test_replies_come_in_the_order_of_the_commands(valkey: ValkeySocket) -> None:
    name = key("list")
    large = b"x" * 500_000
    replies = valkey.execute(
        ("RPUSH", name, "a", 1, large), ("LRANGE", name, 0, -1), ("GET", key("none"))
    )
    assert replies == [3, [b"a", b"1", large], None]


def test_a_refused_command_leaves_the_others_and_the_connection(valkey: ValkeySocket) -> None:
    name = key("text")
    with pytest.raises(redis.ResponseError):
        valkey.execute(("SET", name, "x"), ("INCR", name), ("APPEND", name, "y"))
    assert valkey.execute(("GET", name)) == [b"xy"]


def test_a_silent_server_costs_one_time_out_and_nothing_is_sent_again(
    valkey: ValkeySocket, server: Services
) -> None:
    stream = key("stream")
    valkey.execute(("XADD", stream, "*", "a", "1"))
    os.kill(server.pids["valkey"], signal.SIGSTOP)
    try:
        with pytest.raises(redis.TimeoutError):
            valkey.execute(("XADD", stream, "*", "a", "2"))
    finally:
        os.kill(server.pids["valkey"], signal.SIGCONT)
    # The server had received it; the late reply is not taken for that of another command.
    assert valkey.execute(("XLEN", stream), ("ECHO", "there")) == [2, b"there"]


def test_a_server_that_ends_is_found_again(valkey: ValkeySocket, server: Services) -> None:
    valkey.execute(("PING",))
    server.kill_valkey()
    with pytest.raises(redis.ConnectionError):
        valkey.execute(("PING",))
    with pytest.raises(redis.ConnectionError):
        valkey.execute(("PING",))
    server.restart_valkey()
    assert valkey.execute(("PING",)) == [b"PONG"]


def test_it_may_be_opened_any_number_of_times(valkey: ValkeySocket) -> None:
    for _ in range(150):
        assert valkey.execute(("PING",)) == [b"PONG"]
        valkey.close()
