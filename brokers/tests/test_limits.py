"""How often strangers may call: by network address, by email address, by mails."""

import time
from typing import Any

import pytest
import redis
from django.test import Client, RequestFactory
from rest_framework.request import Request

from brokers.api.limits import MAILS_PER_HOUR
from brokers.models import User
from brokers.tests.people import PASSWORD, register, send
from common.addresses import client_address
from common.attempts import take_attempt
from common.errors import Throttled

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _limits(settings: Any, valkey: redis.Redis) -> None:
    settings.AUTH_ATTEMPTS_PER_MINUTE = 2


def _address(number: int) -> dict[str, str]:
    return {"REMOTE_ADDR": f"192.0.2.{number}"}


def test_attempts_are_counted_in_a_window(valkey: redis.Redis) -> None:
    for _ in range(3):
        take_attempt("it", "ada", limit=3, window_seconds=50)
    take_attempt("it", "bob", limit=3, window_seconds=50)
    take_attempt("other", "ada", limit=3, window_seconds=50)
    with pytest.raises(Throttled) as caught:
        take_attempt("it", "ada", limit=3, window_seconds=50)
    assert 1 <= (caught.value.retry_after_seconds or 0) <= 50
    assert caught.value.facts == {"limit": 3, "window_seconds": 50}


def test_a_window_ends() -> None:
    take_attempt("it", "ada", limit=1, window_seconds=1)
    with pytest.raises(Throttled):
        take_attempt("it", "ada", limit=1, window_seconds=1)
    time.sleep(1.1)
    take_attempt("it", "ada", limit=1, window_seconds=1)


@pytest.mark.parametrize(
    "path",
    [
        "register",
        "token",
        "token/refresh",
        "logout",
        "password/reset",
        "password/reset/confirm",
        "email/verify",
    ],
)
def test_one_network_address_calls_three_times_as_often(client: Client, path: str) -> None:
    answers = [send(client, path, {}, **_address(1)) for _ in range(7)]
    assert [answer.status_code for answer in answers] == [422] * 6 + [429]
    assert send(client, path, {}, **_address(2)).status_code == 422


def test_throttled_registrations_make_nobody(client: Client) -> None:
    for number in range(8):
        send(client, "register", {"email": f"p{number}@example.test", "password": PASSWORD})
    assert User.objects.count() == 6


@pytest.mark.parametrize("known", [True, False])
def test_mails_to_an_address_are_few_whoever_has_it(
    client: Client, settings: Any, known: bool
) -> None:
    settings.AUTH_ATTEMPTS_PER_MINUTE = 100
    if known:
        register()
    answers = [
        send(client, "password/reset", {"email": "ada@example.test"})
        for _ in range(MAILS_PER_HOUR + 1)
    ]
    assert [answer.status_code for answer in answers] == [202] * MAILS_PER_HOUR + [429]
    assert int(answers[-1]["Retry-After"]) > 3000


def test_a_limit_of_zero_is_none(client: Client, settings: Any) -> None:
    settings.AUTH_ATTEMPTS_PER_MINUTE = 0
    assert {send(client, "token", {}).status_code for _ in range(10)} == {422}


@pytest.mark.parametrize(
    ("proxies", "forwarded", "remote", "address"),
    [
        (0, "203.0.113.9", "192.0.2.1", "192.0.2.1"),
        (1, "203.0.113.9", "10.0.0.1", "203.0.113.9"),
        (1, "made up, 203.0.113.9", "10.0.0.1", "203.0.113.9"),
        (2, "made up, 203.0.113.9, 10.0.0.2", "10.0.0.1", "203.0.113.9"),
        (2, "203.0.113.9", "10.0.0.1", "10.0.0.1"),
        (1, "", "10.0.0.1", "10.0.0.1"),
        (1, "unknown", "10.0.0.1", "unknown"),
        (0, "", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        (0, "", "2001:db8:1:2::9", "2001:db8:1:2::/64"),
        (0, "", "::ffff:192.0.2.1", "192.0.2.1"),
    ],
)
def test_the_callers_network_address(
    settings: Any, proxies: int, forwarded: str, remote: str, address: str
) -> None:
    settings.PROXY_COUNT = proxies
    request = RequestFactory().get("/", REMOTE_ADDR=remote, HTTP_X_FORWARDED_FOR=forwarded)
    assert client_address(Request(request)) == address
