"""The risk desk in a real browser, wide and narrow: it fits, it draws, it stays fresh."""

import os
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from brokers.models import TradingAccount, User
from common.ids import new_uuid
from common.instants import floor_instant
from exchange_project.risk.access import make_risk_desk
from ledger.services.entries import post_entry
from ledger.types import AccountKind, EntryKind, Line, VenueAccount
from margin.models import EquitySnapshot
from margin.services.funding import book_fundings, record_premium
from margin.tests.factories import (
    make_asset,
    make_funding,
    make_margin_account,
    make_perpetual,
    make_position,
    set_mark,
)
from marketdata.models import Instrument

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

WIDTHS = [1280, 390]
_PERSON = ("risk@example.com", "a-password-for-tests")
# (collateral, bitcoin, entry, ether, entry): shorts and longs, two of them in trouble.
_BOOK = (
    ("10000", "0.2", "50000", "0", "0"),
    ("1250", "0.1", "51000", "-1", "2450"),
    ("640", "0.1", "50500", "0", "0"),
    ("520", "0.1", "50800", "0", "0"),
    ("90", "0.05", "52000", "0", "0"),
    ("3000", "0", "0", "4", "2480"),
    ("40000", "-0.55", "50600", "-3", "2490"),
)


@pytest.fixture
def bitcoin() -> Instrument:
    return make_perpetual()


@pytest.fixture
def accounts(bitcoin: Instrument) -> list[TradingAccount]:
    """Seven accounts with positions in two perpetuals, a day of equity, and an insurance fund."""
    ether = make_perpetual("ETH-PERP", "2500")
    made = []
    for number, (collateral, bitcoins, entry, ethers, ether_entry) in enumerate(_BOOK, 1):
        broker = "North Brokers" if number % 3 else "South Securities"
        account = make_margin_account(collateral, document=f"4000000000{number}", broker=broker)
        if Decimal(bitcoins):
            make_position(account, bitcoin, bitcoins, entry)
        if Decimal(ethers):
            make_position(account, ether, ethers, ether_entry)
        made.append(account)
    _keep_equity(made[1])
    _fund(bitcoin, made)
    for amount in ("2500", "-320.5", "41.25", "18.75"):
        _pay_into_fund(amount)
    return made


def _keep_equity(account: TradingAccount) -> None:
    """A day of snapshots every ten minutes: equity sinks towards its margins."""
    now, asset = timezone.now().replace(second=0, microsecond=0), make_asset("USDT")
    EquitySnapshot.objects.bulk_create(
        EquitySnapshot(
            account=account,
            asset=asset,
            at=now - timedelta(minutes=10 * (143 - step)),
            equity=Decimal(1_900 - 6 * step + 90 * ((step * 7) % 11 - 5) // 5),
            initial_margin=Decimal(1_500),
            maintenance_margin=Decimal(750),
        )
        for step in range(144)
    )


def _fund(instrument: Instrument, accounts: list[TradingAccount]) -> None:
    """A week of fundings, of which the last is not booked yet, and a running interval."""
    end = floor_instant(timezone.now(), timedelta(hours=8))
    payer, receiver = accounts[0], accounts[-1]
    for step in range(21):
        units = (step * 7) % 11 - 4
        paid = Decimal(abs(units)) + Decimal("0.250001")
        who_pays, who_gets = (payer, receiver) if units >= 0 else (receiver, payer)
        payments = {who_pays: str(-paid), who_gets: str(paid - Decimal("0.000001"))}
        due_at = end - timedelta(hours=8 * (20 - step))
        rate = Decimal(units) / 10_000
        make_funding(instrument, due_at, payments if units else None, rate=str(rate))
        if step == 19:
            book_fundings()
    for minute in range(5):
        record_premium(
            instrument_id=instrument.id,
            at=end + timedelta(minutes=minute),
            impact_bid=Decimal(50_049),
            impact_ask=Decimal(50_051),
            index_price=Decimal(50_000),
        )


def _pay_into_fund(amount: str) -> None:
    asset = make_asset("USDT").id
    lines = [
        Line(VenueAccount(AccountKind.INSURANCE, asset), Decimal(amount)),
        Line(VenueAccount(AccountKind.TRANSIT, asset), -Decimal(amount)),
    ]
    post_entry(
        kind=EntryKind.ADJUSTMENT,
        source_kind="test",
        source_id=new_uuid(),
        lines=lines,
        actor="test",
        memo="Paid in by the venue" if Decimal(amount) > 0 else "Bad debt",
    )


@pytest.fixture
def desk(page: Page, live_server: Any) -> Page:
    """A tab in which a member of the risk desk has logged in, on the way to the report."""
    user = User.objects.create_user(*_PERSON, is_staff=True)
    user.groups.add(make_risk_desk())
    log_in(page, live_server.url, *_PERSON)
    return page


def log_in(page: Page, url: str, email: str, password: str) -> None:
    """Be led to the login and back to the report."""
    page.goto(f"{url}/risk/")
    page.fill("input[name=username]", email)
    page.fill("input[name=password]", password)
    page.click("button[type=submit]")
    expect(page).to_have_url(f"{url}/risk/")


def look(page: Page, name: str, width: int) -> None:
    """Nothing is wider than the screen; a picture is kept where `RISK_PICTURES` names a folder."""
    page.wait_for_load_state("networkidle")
    if folder := os.environ.get("RISK_PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}-{width}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def drawn(page: Page) -> list[bool]:
    """Of each canvas, whether something was painted on it."""
    found: list[bool] = page.evaluate(
        """[...document.querySelectorAll("canvas")].map((one) => one.width > 0 &&
        one.getContext("2d").getImageData(0, 0, one.width, one.height).data.some(Boolean))"""
    )
    return found


@pytest.mark.parametrize("width", WIDTHS)
def test_the_margin_report(desk: Page, accounts: Any, width: int) -> None:
    desk.set_viewport_size({"width": width, "height": 900})
    desk.reload()

    rows = desk.locator("#accounts tbody tr")
    expect(rows).to_have_count(len(accounts))
    expect(rows.first).to_contain_text("Bankrupt")
    # The sign and the word stand there, whatever colours an eye sees.
    expect(desk.locator("#accounts .level.call")).to_contain_text("▲ Margin call")
    look(desk, "margin-report", width)


@pytest.mark.parametrize("width", WIDTHS)
def test_an_account(desk: Page, accounts: Any, live_server: Any, width: int) -> None:
    desk.set_viewport_size({"width": width, "height": 900})
    desk.goto(f"{live_server.url}/risk/accounts/{accounts[1].id}/")

    expect(desk.locator("tr", has_text="ETH-PERP")).to_contain_text("Short")
    assert drawn(desk) == [True]
    look(desk, "account", width)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    ("name", "address", "canvases"),
    [
        ("exposure", "exposure/", 1),
        ("funding", "funding/", 1),
        ("stress", "stress/?percent=-15", 1),
        ("insurance", "insurance/?period=1h", 1),
        ("liquidations", "liquidations/", 0),
        ("margin-calls-none", "margin-calls/", 0),
    ],
)
def test_the_other_pages(
    desk: Page, accounts: Any, live_server: Any, name: str, address: str, canvases: int, width: int
) -> None:
    desk.set_viewport_size({"width": width, "height": 900})
    desk.goto(f"{live_server.url}/risk/{address}")

    assert drawn(desk) == [True] * canvases
    look(desk, name, width)


def test_the_report_follows_the_mark(desk: Page, accounts: Any, bitcoin: Instrument) -> None:
    desk.reload()
    row = desk.locator("#accounts tr", has_text="40000000003")
    expect(row).to_contain_text("Margin call")
    # Whoever stands on a link keeps standing there.
    row.locator("a").focus()

    set_mark(bitcoin, "40000")

    expect(row).to_contain_text("Bankrupt", timeout=12_000)
    expect(row.locator("a")).to_be_focused()


def test_a_paused_page_stays_as_it_is(desk: Page, accounts: Any, bitcoin: Instrument) -> None:
    desk.reload()
    desk.click("#live-toggle")
    expect(desk.locator("#live-state")).to_have_text("Paused")

    set_mark(bitcoin, "40000")
    desk.wait_for_timeout(6_000)
    row = desk.locator("#accounts tr", has_text="40000000003")
    expect(row).to_contain_text("Margin call")

    desk.click("#live-toggle")
    expect(row).to_contain_text("Bankrupt")


def test_who_is_logged_out_is_told_so(desk: Page, accounts: Any) -> None:
    desk.context.clear_cookies()

    expect(desk.locator("#live-state")).to_contain_text("Not live", timeout=12_000)
    expect(desk.locator("#accounts tbody tr")).to_have_count(0)


def test_a_search_finds_an_account_and_opens_it(desk: Page, accounts: Any) -> None:
    desk.fill("input[name=search]", "40000000002")
    desk.click("form[role=search] button")
    desk.locator("#accounts tbody a").click()

    expect(desk.locator("h1")).to_have_text(f"Account {accounts[1].id}")
