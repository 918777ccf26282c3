"""The risk desk's page of funding, and funding in the back office."""

import csv
from datetime import timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from brokers.models import TradingAccount, User
from common.instants import floor_instant
from exchange_project.risk.access import make_risk_desk
from exchange_project.tests.test_risk_pages import chart_of, rows_of, text_of
from margin.models import Funding
from margin.services.funding import book_fundings, record_premium
from margin.tests.factories import make_funding, make_margin_account, make_perpetual
from marketdata.models import Instrument

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def desk(client: Client) -> Client:
    """A member of the risk desk."""
    user = User.objects.create_user("risk@example.com", "password", is_staff=True)
    user.groups.add(make_risk_desk())
    client.force_login(user)
    return client


@pytest.fixture
def bitcoin() -> Instrument:
    return make_perpetual(funding_interval_seconds=3600)


@pytest.fixture
def payer() -> TradingAccount:
    return make_margin_account("100", document="1")


@pytest.fixture
def fundings(bitcoin: Instrument, payer: TradingAccount) -> list[Funding]:
    """Of the last three hours and of last month; the oldest three are booked."""
    end, receiver = floor_instant(timezone.now(), HOUR), make_margin_account("100", document="2")
    made = []
    for hours, rate in ((700, "0.0004"), (2, "0.0001"), (1, "-0.00025"), (0, "0")):
        payments = {payer: "-12.345001", receiver: "12.345"} if D(rate) else None
        made.append(make_funding(bitcoin, end - hours * HOUR, payments, rate=rate))
        if hours == 2:
            book_fundings()
    return made


def test_strangers_and_others_of_the_staff_see_nothing(client: Client) -> None:
    answer = client.get("/risk/funding/")
    assert (answer.status_code, answer["Location"]) == (302, "/admin/login/?next=/risk/funding/")
    client.force_login(User.objects.create_user("other@example.com", "password", is_staff=True))
    assert client.get("/risk/funding/").status_code == 403


def test_the_page_without_data(desk: Client) -> None:
    assert "No perpetual is listed yet" in text_of(desk.get("/risk/funding/"))
    make_perpetual()
    text = text_of(desk.get("/risk/funding/"))
    assert "No funding of BTC-PERP in this period yet" in text
    assert '<dd id="running-rate">0.0000 %</dd>' in text
    assert 'href="/risk/funding/" aria-current="page"' in text


def test_rates_with_what_was_paid(desk: Client, fundings: list[Funding]) -> None:
    text = text_of(desk.get("/risk/funding/"))

    rows = [row.partition(" ")[2].partition(" ")[2] for row in rows_of(text, "fundings")]
    assert rows[0].startswith("0.0000 % nobody pays 1 50,000.00 0.00 0.00 0 20")
    assert rows[1] == "-0.0250 % shorts pay 1 50,000.00 12.35 12.35 0.000001 ▲ not yet"
    assert rows[2].startswith("0.0100 % longs pay 1 50,000.00 12.35 12.35 0.000001 20")
    assert len(rows) == 3
    assert "<dt>Payments to book</dt><dd>2</dd>" in text
    chart = chart_of(text, "rates")
    assert chart["times"] == [round(one.due_at.timestamp() * 1000) for one in fundings[1:]]
    [series] = chart["series"]
    assert [D(value) for value in series["values"]] == [1, D("-2.5"), 0]


def test_the_running_interval(desk: Client, bitcoin: Instrument) -> None:
    record_premium(
        instrument_id=bitcoin.id,
        at=timezone.now(),
        impact_bid=D(50_100),
        impact_ask=D(50_101),
        index_price=D(50_000),
    )
    text = text_of(desk.get("/risk/funding/"))
    assert '<dd id="running-rate">0.1500 %</dd>' in text
    assert "<dt>Samples</dt><dd>1</dd>" in text


def test_another_perpetual_and_another_period(desk: Client, fundings: list[Funding]) -> None:
    make_funding(make_perpetual("ETH-PERP"), floor_instant(timezone.now(), HOUR), rate="0.0005")

    def rates(query: str) -> list[str]:
        rows = rows_of(text_of(desk.get(f"/risk/funding/?{query}")), "fundings")
        return [row.split()[2] for row in rows]

    assert rates("symbol=ETH-PERP") == ["0.0500"]
    assert rates("symbol=BTC-PERP&period=90d") == ["0.0000", "-0.0250", "0.0100", "0.0400"]
    assert rates("symbol=<script>&period=9y") == ["0.0000", "-0.0250", "0.0100"]


def test_csv_has_every_decimal(desk: Client, fundings: list[Funding]) -> None:
    answer = desk.get("/risk/funding/?symbol=BTC-PERP&period=90d&format=csv")

    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert 'filename="funding-BTC-PERP-' in answer["Content-Disposition"]
    header, *rows = csv.reader(b"".join(answer).decode().splitlines())
    lines = [dict(zip(header, row, strict=True)) for row in rows]
    assert [line["rate"] for line in lines] == ["0", "-0.00025", "0.0001", "0.0004"]
    assert (lines[1]["paid"], lines[1]["remainder"]) == ("12.345001", "0.000001")
    assert (lines[1]["booked_at"], lines[1]["symbol"]) == ("", "BTC-PERP")


@pytest.mark.parametrize("model", ["premiumsample", "funding", "fundingpayment"])
def test_the_back_office_shows_funding_and_changes_nothing(
    admin_client: Client, fundings: list[Funding], bitcoin: Instrument, model: str
) -> None:
    record_premium(
        instrument_id=bitcoin.id,
        at=timezone.now(),
        impact_bid=D(1),
        impact_ask=D(2),
        index_price=D(1),
    )
    path = f"/admin/margin/{model}/"
    rows: Any = fundings[1].payments if model == "fundingpayment" else None
    text = text_of(admin_client.get(path))
    assert "BTC-PERP" in text
    assert admin_client.get(f"{path}add/").status_code == 403
    if rows:
        assert admin_client.get(f"{path}{rows.first().pk}/change/").status_code == 200


def test_payments_are_found_by_the_account(
    admin_client: Client, fundings: list[Funding], payer: TradingAccount
) -> None:
    path = "/admin/margin/fundingpayment/"
    assert text_of(admin_client.get(path, {"q": payer.id})).count("-12.345001") == 3
    assert "-12.345001" not in text_of(admin_client.get(path, {"q": payer.id + 999}))
