"""Funding over HTTP: rates with what the running interval may cost, payments, pages and CSV."""

import csv
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from django.utils import timezone

from brokers.models import TradingAccount
from brokers.services import create_api_key
from common.instants import floor_instant
from margin.models import Funding, FundingPayment
from margin.services.funding import book_fundings, record_premium
from margin.tests.factories import make_asset, make_funding, make_margin_account, make_perpetual
from marketdata.models import Instrument
from orders.tests.fixtures import Api

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
_VENUE = "tests-admin-key"


def key_of(account: TradingAccount, *, is_bound: bool = False, scope: str = "read") -> Api:
    bound_id = account.id if is_bound else None
    key = create_api_key(broker_id=account.broker_id, scopes=[scope], name="k", account_id=bound_id)
    return Api(key.secret, "/api/v1/")


@pytest.fixture
def bitcoin() -> Instrument:
    return make_perpetual(funding_interval_seconds=3600)


@pytest.fixture
def accounts() -> list[TradingAccount]:
    """Two of a broker and one of another one."""
    return [
        make_margin_account("100", document=document, broker=broker)
        for document, broker in (("1", "North"), ("2", "North"), ("3", "South"))
    ]


@pytest.fixture
def fundings(bitcoin: Instrument, accounts: list[TradingAccount]) -> list[Funding]:
    """Of 10, 11 and 12 o'clock: the first pays the others."""
    payments = dict(zip(accounts, ("-3.000001", "1", "2"), strict=True))
    return [
        make_funding(bitcoin, NOON - hours * HOUR, payments, rate=rate)
        for hours, rate in ((2, "0.0001"), (1, "-0.0002"), (0, "0.0003"))
    ]


def results(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.content
    rows: list[dict[str, Any]] = answer.json()["results"]
    return rows


# --- of all perpetuals ----------------------------------------------------------------------------


def test_fundings_of_all_perpetuals_and_of_one(
    accounts: list[TradingAccount], fundings: list[Funding]
) -> None:
    ether = make_perpetual("ETH-PERP", mark="2000", funding_interval_seconds=3600)
    other = make_funding(ether, NOON, {accounts[0]: "-1", accounts[1]: "1"}, rate="0.0005")
    api = key_of(accounts[0])

    everything = results(api.get("funding"))
    assert {one["id"] for one in everything} == {str(one.id) for one in (*fundings, other)}
    assert [one["symbol"] for one in results(api.get("funding", symbol="eth-perp"))] == ["ETH-PERP"]
    since = results(api.get("funding", symbol="BTC-PERP", since=NOON.isoformat()))
    assert [one["rate"] for one in since] == ["0.0003"]
    text = api.get("funding", format="csv", symbol="ETH-PERP").getvalue().decode()
    [row] = csv.DictReader(text.splitlines())
    assert (row["symbol"], row["rate"], row["paid"]) == ("ETH-PERP", "0.0005", "1")


def test_fundings_of_what_is_not_listed_are_refused(accounts: list[TradingAccount]) -> None:
    api = key_of(accounts[0])
    assert api.get("funding", symbol="NONE").json()["code"] == "instrument_not_found"
    assert api.get("funding", since="yesterday").status_code == 422


# --- rates ----------------------------------------------------------------------------------------


def test_rates_come_newest_first_and_in_pages(
    accounts: list[TradingAccount], fundings: list[Funding]
) -> None:
    api = key_of(accounts[0])
    answer = api.get("funding-rates/btc-perp", page_size=2).json()

    assert answer["symbol"] == "BTC-PERP"
    assert [row["rate"] for row in answer["results"]] == ["0.0003", "-0.0002"]
    assert answer["results"][0] == {
        "id": str(fundings[2].id), "symbol": "BTC-PERP", "due_at": "2026-11-20T12:00:00.000000Z",
        "rate": "0.0003", "sample_count": 1, "mark_price": "50000", "paid": "3.000001",
        "received": "3", "remainder": "0.000001", "booked_at": None,
        "fixed_at": fundings[2].fixed_at.isoformat().replace("+00:00", "Z"),
    }  # fmt: skip
    second = api.get(answer["next"].partition("/api/v1/")[2]).json()
    assert [row["rate"] for row in second["results"]] == ["0.0001"]
    assert (second["predicted"], second["next"]) == (None, None)
    book_fundings()
    assert all(row["booked_at"] for row in results(api.get("funding-rates/BTC-PERP")))


def test_rates_of_a_period(accounts: list[TradingAccount], fundings: list[Funding]) -> None:
    api = key_of(accounts[0])

    def rates(**period: datetime) -> list[str]:
        query = {name: instant.isoformat() for name, instant in period.items()}
        return [row["rate"] for row in results(api.get("funding-rates/BTC-PERP", **query))]

    assert rates(since=NOON - HOUR) == ["0.0003", "-0.0002"]
    assert rates(until=NOON) == ["-0.0002", "0.0001"]
    assert rates(since=NOON - HOUR, until=NOON) == ["-0.0002"]
    assert rates(since=NOON + HOUR) == []


def test_the_running_interval_is_predicted(
    accounts: list[TradingAccount], bitcoin: Instrument
) -> None:
    begin = floor_instant(timezone.now(), HOUR)
    api = key_of(accounts[0])
    empty = api.get("funding-rates/BTC-PERP").json()["predicted"]
    assert (empty["rate"], empty["sample_count"], empty["samples"]) == ("0", 0, [])
    for at in (begin - timedelta(minutes=1), begin):
        record_premium(
            instrument_id=bitcoin.id,
            at=at,
            impact_bid=D("50100"),
            impact_ask=D("50100.01"),
            index_price=D(50_000),
        )

    predicted = api.get("funding-rates/BTC-PERP").json()["predicted"]

    instants = [
        one.isoformat(timespec="microseconds").replace("+00:00", "Z")
        for one in (begin, begin + HOUR)
    ]
    assert [predicted["since"], predicted["due_at"]] == instants
    # 0.2 % less the damping of 0.05 %.
    assert (predicted["rate"], predicted["sample_count"]) == ("0.0015", 1)
    assert predicted["samples"] == [
        {
            "at": instants[0], "premium_rate": "0.002", "impact_bid": "50100",
            "impact_ask": "50100.01", "index_price": "50000",
        }
    ]  # fmt: skip


def test_what_is_no_perpetual_has_no_rates(accounts: list[TradingAccount]) -> None:
    Instrument.objects.create(
        symbol="BTC-USDT",
        kind="SPOT",
        base_asset=make_asset("BTC", 8),
        quote_asset=make_asset("USDT"),
        tick_size=D("0.01"),
        lot_size=D("0.0001"),
        price_rule="MAKER",
    )
    api = key_of(accounts[0])
    for symbol, status, code in (
        ("BTC-USDT", 422, "not_perpetual"),
        ("NO-PERP", 404, "instrument_not_found"),
    ):
        refusal = api.get(f"funding-rates/{symbol}")
        assert (refusal.status_code, refusal.json()["code"]) == (status, code)
    assert key_of(accounts[0], scope="trade").get("funding-rates/BTC-USDT").status_code == 403


# --- payments -------------------------------------------------------------------------------------


def test_a_payment_says_what_it_is_for(
    accounts: list[TradingAccount], fundings: list[Funding]
) -> None:
    [payment] = results(
        key_of(accounts[0]).get("funding-payments", account_id=accounts[0].id, since=NOON)
    )
    stored = FundingPayment.objects.get(funding=fundings[2], account=accounts[0])

    assert payment == {
        "id": stored.id, "funding_id": str(fundings[2].id), "account_id": accounts[0].id,
        "symbol": "BTC-PERP", "asset": "USDT", "due_at": "2026-11-20T12:00:00.000000Z",
        "rate": "0.0003", "mark_price": "50000", "quantity": "1", "amount": "-3.000001",
        "entry_id": str(stored.entry_id), "booked_at": None,
    }  # fmt: skip


def test_who_sees_which_payments(accounts: list[TradingAccount], fundings: list[Funding]) -> None:
    def seen(api: Api, **query: Any) -> set[int]:
        return {row["account_id"] for row in results(api.get("funding-payments", **query))}

    first, second, third = (account.id for account in accounts)
    assert seen(Api(_VENUE, "/api/v1/")) == {first, second, third}
    assert seen(key_of(accounts[0])) == {first, second}
    assert seen(key_of(accounts[0]), account_id=second) == {second}
    assert seen(key_of(accounts[0], is_bound=True)) == {first}
    refusal = key_of(accounts[0], scope="trade").get("funding-payments")
    assert (refusal.status_code, refusal.json()["code"]) == (403, "missing_scope")
    assert Api(None, "/api/v1/").get("funding-payments").status_code == 401


def test_filters_and_pages_of_payments(
    accounts: list[TradingAccount], fundings: list[Funding]
) -> None:
    make_funding(make_perpetual("ETH-PERP"), NOON, {accounts[0]: "-7", accounts[1]: "7"})
    api = key_of(accounts[0], is_bound=True)

    def amounts(**query: Any) -> list[str]:
        return [row["amount"] for row in results(api.get("funding-payments", **query))]

    assert amounts() == ["-7", *["-3.000001"] * 3]
    assert amounts(symbol="eth-perp") == ["-7"]
    assert amounts(symbol="BTC-PERP", until=NOON.isoformat()) == ["-3.000001"] * 2
    page = api.get("funding-payments", page_size=1).json()
    assert [row["amount"] for row in page["results"]] == ["-7"]
    rest = api.get(page["next"].partition("/api/v1/")[2]).json()
    assert [row["due_at"] for row in rest["results"]] == ["2026-11-20T12:00:00.000000Z"]
    assert api.get("funding-payments", since="yesterday").status_code == 422
    assert api.get("funding-payments", account_id="x").status_code == 422


def test_payments_as_csv(accounts: list[TradingAccount], fundings: list[Funding]) -> None:
    book_fundings()
    answer = key_of(accounts[0], is_bound=True).get("funding-payments", format="csv")

    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    header, *rows = csv.reader(b"".join(answer.streaming_content).decode().splitlines())
    assert header[:4] == ["id", "funding_id", "account_id", "symbol"]
    lines = [dict(zip(header, row, strict=True)) for row in rows]
    assert [line["rate"] for line in lines] == ["0.0003", "-0.0002", "0.0001"]
    assert {line["amount"] for line in lines} == {"-3.000001"}
    assert all(line["booked_at"] for line in lines)
