"""Who may call the classic dialect; registering brokers; the venue's own requests."""

import pytest
from django.conf import settings as django_settings
from django.test import Client

from brokers.models import Broker, WebhookEndpoint
from brokers.services import create_api_key, find_or_create_account
from common.valkey import get_client
from orders.models import Order, Trade
from orders.tests.fixtures import Api, register
from orders.tests.live_engine import live_engine

pytestmark = pytest.mark.usefixtures("both_lanes")

PATHS = [
    ("post", "/register"),
    ("post", "/orders"),
    ("get", "/orders/01890000-0000-7000-8000-000000000000"),
    ("post", "/orders/01890000-0000-7000-8000-000000000000/cancel"),
    ("get", "/stocks/PETR4/price"),
    ("get", "/stocks/PETR4/book"),
    ("get", "/balance"),
    ("get", "/debug/trade-count"),
    ("post", "/debug/reset"),
]


@pytest.fixture
def admin(db, valkey) -> Api:
    return Api(django_settings.ADMIN_API_KEY)


@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.parametrize("key", [None, "wrong-key"])
def test_without_a_key_401(db, valkey, method, path, key):
    answer = getattr(Api(key), method)(path)
    assert answer.status_code == 401
    assert list(answer.json()) == ["detail"]
    assert answer["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "headers",
    [
        lambda key: {"authorization": f"Bearer {key}"},
        lambda key: {"authorization": f"Token {key}"},
        lambda key: {"x-api-key": key},
    ],
)
def test_the_key_is_taken_from_three_headers(db, headers):
    secret = register("Alpha").secret
    assert Client().get("/balance", headers=headers(secret)).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"), [p for p in PATHS if p[1].startswith(("/register", "/debug"))]
)
def test_a_brokers_key_is_not_the_venues(db, valkey, method, path):
    answer = getattr(Api(register("Alpha").secret), method)(path)
    assert answer.status_code == 403
    assert list(answer.json()) == ["detail"]


def test_the_venues_key_does_not_trade(admin):
    assert admin.post("/orders", {}).status_code == 403
    assert admin.get("/balance").status_code == 403


def test_a_key_without_the_scope_does_not_trade(db, valkey):
    broker = register("Alpha").broker
    reader = Api(create_api_key(broker_id=broker.id, scopes=["read"]).secret)
    assert reader.post("/orders", {}).status_code == 403
    assert reader.get("/balance").status_code == 200


def test_register_makes_a_broker_and_shows_its_key(admin):
    answer = admin.post("/register", {"name": "My Broker"})
    assert answer.status_code == 201
    assert sorted(answer.json()) == ["api_key", "broker_id"]
    broker = Broker.objects.get(id=answer.json()["broker_id"])
    assert (broker.name, broker.default_funding) == ("My Broker", "CREDIT")
    assert broker.default_credit_limit is None
    balance = Api(answer.json()["api_key"]).get("/balance").json()
    assert balance["broker_name"] == "My Broker"


def test_register_takes_a_webhook_url(admin):
    body = {"name": "My Broker", "webhook_url": "http://127.0.0.1:9/hook"}
    answer = admin.post("/register", body)
    assert answer.status_code == 201
    assert WebhookEndpoint.objects.get().url == body["webhook_url"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": 5}, "name"),
        ({"name": "A", "webhook_url": "ftp://example.com"}, "webhook_url"),
        ({"name": "A", "webhook_url": "no url"}, "webhook_url"),
        ({"name": "A", "webhook_url": 5}, "webhook_url"),
    ],
)
def test_register_refuses_a_wrong_field_by_name(admin, body, field):
    answer = admin.post("/register", body)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", field]
    assert not Broker.objects.exists()


def test_a_bound_key_trades_for_its_account_alone(db, valkey):
    broker = register("Alpha").broker
    account = find_or_create_account(broker_id=broker.id, document_number="1")
    created = create_api_key(broker_id=broker.id, scopes=["trade"], account_id=account.id)
    body = {
        "document_number": "2",
        "side": "bid",
        "order_type": "market",
        "symbol": "PETR4",
        "quantity": 1,
    }
    assert Api(created.secret).post("/orders", body).status_code == 403
    assert broker.accounts.count() == 1


def test_a_suspended_broker_reads_and_cancels_and_does_not_trade(engine):
    from brokers.services import suspend_broker

    registered = register("Alpha")
    api = Api(registered.secret)
    body = {
        "document_number": "1",
        "side": "bid",
        "symbol": "PETR4",
        "price": 100,
        "quantity": 1,
        "valid_until": "2100-01-01T00:00:00Z",
    }
    order = api.post("/orders", body).json()["order_id"]
    suspend_broker(broker=registered.broker)
    assert api.post("/orders", body).status_code == 403
    assert api.get(f"/orders/{order}").json()["status"] == "open"
    assert api.post(f"/orders/{order}/cancel").status_code == 204
    assert api.get(f"/orders/{order}").json()["status"] == "closed"


def test_trade_count(engine):
    admin = Api(django_settings.ADMIN_API_KEY)
    assert admin.get("/debug/trade-count").json() == {"count": 0}
    api = Api(register("Alpha").secret)
    order = {"document_number": "1", "symbol": "PETR4", "quantity": 1}
    limit = {"price": 100, "valid_until": "2100-01-01T00:00:00Z"}
    assert api.post("/orders", order | limit | {"side": "ask"}).status_code == 201
    assert api.post("/orders", order | limit | {"side": "bid"}).status_code == 201
    assert admin.get("/debug/trade-count").json() == {"count": 1}


def test_reset_empties_the_venue_and_removes_registered_brokers(transactional_db, valkey, settings):
    settings.RESET_HOOK = ""
    admin = Api(django_settings.ADMIN_API_KEY)
    with live_engine():
        registered = register("Alpha")
        api = Api(registered.secret)
        body = {
            "document_number": "1",
            "side": "bid",
            "symbol": "PETR4",
            "price": 100,
            "quantity": 1,
            "valid_until": "2100-01-01T00:00:00Z",
        }
        assert api.post("/orders", body).status_code == 201
        answer = admin.post("/debug/reset")
        assert (answer.status_code, list(answer.json())) == (200, ["status"])
        assert not Order.objects.exists()
        assert not Trade.objects.exists()
        assert not Broker.objects.filter(id=registered.broker.id).exists()
        assert api.post("/orders", body).status_code == 401
        again = Api(register("Beta").secret)
        assert again.get("/stocks/PETR4/book").json()["bids"] == []
        assert again.post("/orders", body).status_code == 201


def test_reset_is_refused_where_it_is_not_allowed(engine, settings):
    settings.ALLOW_RESET = False
    api = Api(register("Alpha").secret)
    answer = Api(django_settings.ADMIN_API_KEY).post("/debug/reset")
    assert (answer.status_code, list(answer.json())) == (403, ["detail"])
    assert api.get("/balance").status_code == 200


def test_without_an_engine_orders_are_503_and_nothing_is_written(db, valkey):
    api = Api(register("Alpha").secret)
    body = {
        "document_number": "1",
        "side": "bid",
        "order_type": "market",
        "symbol": "PETR4",
        "quantity": 1,
    }
    answer = api.post("/orders", body)
    assert (answer.status_code, list(answer.json())) == (503, ["detail"])
    assert answer["Retry-After"] == "1"
    assert not Order.objects.exists()
    assert get_client().keys("*commands*") == []
    assert api.get("/stocks/PETR4/book").status_code == 200
