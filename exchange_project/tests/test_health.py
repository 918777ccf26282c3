"""`GET /health` with and without what the venue needs, and the start page."""

import time
from decimal import Decimal

import pytest
from django.test import Client

from common.valkey import get_client
from ledger.services import raise_alert
from ledger.types import AlertSeverity
from marketdata.pricing import breaker
from marketdata.tests.factories import make_instrument, make_mark, make_perpetual
from orders.gateway.admission import get_shard_status
from orders.streams import worker_key


def test_all_is_well(engine):
    get_client().set(worker_key(), int(time.time()) - 3)
    answer = Client().get("/health")
    document = answer.json()
    assert (answer.status_code, document["status"]) == (200, "ok")
    assert document["database"]["status"] == document["cache"]["status"] == "ok"
    (shard,) = document["engine"]
    assert (shard["shard"], shard["status"], shard["epoch"]) == (0, "ok", 1)
    assert 0 <= shard["heartbeat_age_ms"] < 3000
    assert document["queue_lag"] == shard["queue_lag"] == get_shard_status(0).backlog
    assert document["worker"]["status"] == "ok"
    assert 3 <= document["worker"]["last_sweep_age_seconds"] <= 5
    figures = {"count", "p50_us", "p95_us", "p99_us", "errors", "error_rate_bps", "uptime_seconds"}
    assert set(document["latency"]) == figures
    assert answer["Cache-Control"] == "no-store"


def test_without_an_engine_503(db, valkey):
    answer = Client().get("/health")
    assert answer.status_code == 503
    assert answer.json()["status"] == "gone"
    assert answer.json()["engine"][0]["status"] == "gone"
    assert answer.json()["database"]["status"] == "ok"


def test_a_silent_worker_is_told_and_no_reason_for_503(engine):
    answer = Client().get("/health")
    assert answer.status_code == 200
    assert answer.json()["worker"]["status"] == "silent"


def test_open_critical_alerts_are_counted_and_no_reason_for_503(engine):
    assert Client().get("/health").json()["alerts"]["open_critical_count"] == 0
    for kind, severity in (("a", "CRITICAL"), ("b", "CRITICAL"), ("c", "WARNING")):
        raise_alert(kind=kind, severity=AlertSeverity(severity), message="A secret.")

    answer = Client().get("/health")

    assert answer.status_code == 200
    assert answer.json()["alerts"]["open_critical_count"] == 2
    assert "secret" not in answer.content.decode()


def test_price_services_are_told_and_no_reason_for_503(engine, settings):
    settings.PRICE_PROVIDERS_EQUITY = ["yahoo", "simulated"]
    assert Client().get("/health").json()["price_services"]["status"] == "ok"
    breaker.note_failure("yahoo", "throttled", opens=True)

    answer = Client().get("/health")

    assert answer.status_code == 200
    services = answer.json()["price_services"]
    assert services["status"] == "degraded"
    yahoo, simulated = services["services"]
    assert (yahoo["name"], yahoo["breaker"], yahoo["last_error"]) == ("yahoo", "open", "throttled")
    assert (simulated["name"], simulated["breaker"]) == ("simulated", None)


def test_each_shard_is_looked_at(engine, settings):
    settings.ENGINE_SHARDS = 2
    answer = Client().get("/health")
    assert answer.status_code == 503
    assert [shard["status"] for shard in answer.json()["engine"]] == ["ok", "gone"]


def test_without_valkey_503(db, lost_valkey):
    answer = Client().get("/health")
    assert answer.status_code == 503
    assert answer.json()["cache"] == {"status": "gone"}
    assert answer.json()["engine"][0]["status"] == "gone"
    assert answer.json()["database"]["status"] == "ok"


def test_the_start_page_shows_the_venue(engine):
    from marketdata.services import list_symbol

    list_symbol("PETR4")
    page = Client().get("/")
    assert page.status_code == 200
    text = page.content.decode()
    for wanted in ("/docs", "/redoc", "/admin/", "/health", "PETR4", "alive"):
        assert wanted in text


def test_the_start_page_shows_prices_where_nobody_has_traded(db, valkey, settings):
    settings.PRICE_PROVIDERS_EQUITY = settings.PRICE_PROVIDERS_CRYPTO = ["fixed"]
    settings.PRICE_TABLE = {"ACME": "150.256", "COIN-USD": "0.5"}
    settings.DEALER_SPREAD_RATE = Decimal("0.01")
    make_instrument("ACME")
    make_instrument("COIN-USD", base="COIN", kind="SPOT", tick_size=Decimal("0.0001"))
    perpetual = make_perpetual()
    make_mark(perpetual, "50000")
    make_instrument("NONE")

    text = Client().get("/").content.decode()

    for price in ("150.26", "148.75", "151.76", "0.5000", "0.4950", "0.5050", "50000.00"):
        assert f">{price}<" in text
    assert text.count(">–<") == 3  # nobody knows what NONE costs


def test_the_start_page_comes_without_valkey(db, lost_valkey):
    page = Client().get("/")
    assert page.status_code == 200
    assert "not available" in page.content.decode()


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/api/schema/"])
def test_the_api_is_documented(db, path):
    assert Client().get(path).status_code == 200
