"""`/api/v1` refuses query parameters that it does not know; the classic dialect ignores them."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import get_resolver
from django.urls.resolvers import URLPattern, URLResolver

from brokers.services import find_or_create_account
from brokers.tests.factories import RegisteredBrokerFactory
from brokers.tests.people import register, tokens_of
from ledger.tests.wallets import make_wallet
from marketdata.tests.factories import make_instrument

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]

_PARTS = {
    "int": "1",
    "uuid": "01890000-0000-7000-8000-000000000000",
    "symbol": "ACME",
    "str": "ACME",
}


def _paths(method: str) -> list[str]:
    """The addresses below `/api/v1/` that have `method`; wallets and accounts have no ids yet."""
    return [
        re.sub(r"<(\w+):\w+>", lambda part: _PARTS[part[1]], _with_places(route))
        for route, pattern in _patterns(get_resolver().url_patterns, "/")
        if route.startswith("/api/v1/") and hasattr(_view_of(pattern), method)
    ]


def _with_places(route: str) -> str:
    return route.replace("<int:account_id>", "{account}").replace("<int:wallet_id>", "{wallet}")


def _patterns(
    patterns: list[URLPattern | URLResolver], prefix: str
) -> Iterator[tuple[str, URLPattern]]:
    for one in patterns:
        route = f"{prefix}{one.pattern}"
        if isinstance(one, URLResolver):
            yield from _patterns(one.url_patterns, route)
        else:
            yield route, one


def _view_of(pattern: URLPattern) -> Any:
    return getattr(pattern.callback, "view_class", None)


@pytest.fixture
def ask(client: Client) -> Any:
    """Asks with the key that the address needs: a broker's, a person's or the venue's own."""
    make_instrument("ACME")
    registered = RegisteredBrokerFactory.create()
    account = find_or_create_account(broker_id=registered.broker.id, document_number="1")
    wallet = make_wallet(account=account)
    broker = {"X-API-KEY": registered.secret}
    venue = {"X-API-KEY": settings.ADMIN_API_KEY}
    person = {"authorization": f"Bearer {tokens_of(register()).access}"}

    def ask_it(method: str, path: str) -> Any:
        for headers in (broker, venue, person):
            address = path.format(account=account.id, wallet=wallet.id)
            answer = getattr(client, method)(address, headers=headers)
            if answer.status_code not in (401, 403):
                return answer
        return answer

    return ask_it


@pytest.mark.parametrize("path", _paths("get"))
def test_an_unknown_parameter_is_refused_by_name(ask: Any, path: str) -> None:
    answer = ask("get", f"{path}?no_such_parameter=1")
    assert answer.status_code == 422, answer.content
    (error,) = [one for one in answer.json()["errors"] if one["field"] == "no_such_parameter"]
    assert error["code"] == "unknown_field"


@pytest.mark.parametrize("path", ["/api/v1/orders/cancel-all", "/api/v1/orders/test"])
def test_a_post_takes_no_parameters(ask: Any, path: str) -> None:
    answer = ask("post", f"{path}?symbol=ACME")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "symbol")


def test_there_are_many_such_addresses() -> None:
    assert len(_paths("get")) > 40


@pytest.mark.parametrize("path", ["/stocks/ACME/book", "/health", "/balance"])
def test_the_classic_dialect_ignores_what_it_does_not_know(ask: Any, path: str) -> None:
    plain, odd = ask("get", path), ask("get", f"{path}?no_such_parameter=1&depth=10")
    assert plain.status_code == odd.status_code
    assert plain.status_code in (200, 503)
