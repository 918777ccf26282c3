"""Channels of kombu whose connection was closed meanwhile."""

import pytest
import redis
from django.conf import settings
from kombu import Connection
from kombu.transport.redis import Channel

from common.broker_guard import guard_closed_channels


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> tuple[Connection, Channel]:
    """A connection and a channel that is guarded."""
    monkeypatch.setattr(Channel, "_connparams", Channel._connparams)  # put back at the end
    guard_closed_channels()
    connection = Connection(settings.REDIS_URL)
    return connection, connection.channel()


def test_a_channel_of_a_closed_connection_raises_what_celery_recovers_from(
    opened: tuple[Connection, Channel],
) -> None:
    connection, channel = opened
    channel.connection.client = None

    with pytest.raises(redis.ConnectionError) as caught:
        channel._connparams()

    assert isinstance(caught.value, connection.connection_errors)


def test_an_open_one_finds_its_server(opened: tuple[Connection, Channel]) -> None:
    connection, channel = opened
    assert channel._connparams()["port"] == connection.port
    connection.close()
