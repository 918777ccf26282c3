"""Liquidations, margin calls and freezing at the risk desk, in a real browser, wide and narrow."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from brokers.models import TradingAccount, User
from exchange_project.risk.access import make_risk_officers
from margin.models import MarginAccount, MarginCall
from margin.tests.factories import (
    make_asset,
    make_liquidation,
    make_margin_account,
    make_perpetual,
    make_position,
)
from tests.browser.test_risk_desk import WIDTHS, log_in, look

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def officer(page: Page, live_server: Any) -> Page:
    """A tab in which a risk officer has logged in."""
    user = User.objects.create_user("officer@example.com", "a-password-for-tests", is_staff=True)
    user.groups.add(make_risk_officers())
    log_in(page, live_server.url, "officer@example.com", "a-password-for-tests")
    return page


@pytest.fixture
def account() -> TradingAccount:
    """An account that was liquidated twice, was called twice, and has a position again."""
    bitcoin, now = make_perpetual(), timezone.now()
    account = make_margin_account("590", document="40000000001", broker="North Brokers")
    make_position(account, bitcoin, "0.1", "50000")
    make_liquidation(account, instrument=bitcoin, executed_at=now - timedelta(days=2))
    make_liquidation(
        account,
        instrument=bitcoin,
        outcome="CLOSED",
        bad_debt=Decimal("12.75"),
        fund_result=Decimal("-1250.5"),
    )
    for resolved_at in (now, None):
        MarginCall.objects.create(
            account=account,
            asset=make_asset("USDT"),
            level=Decimal("0.8"),
            equity=Decimal(590),
            maintenance_margin=Decimal(500),
            raised_at=now - timedelta(hours=1),
            resolved_at=resolved_at,
        )
    return account


@pytest.mark.parametrize("width", WIDTHS)
def test_from_the_history_to_the_steps(
    officer: Page, account: TradingAccount, live_server: Any, width: int
) -> None:
    officer.set_viewport_size({"width": width, "height": 900})
    officer.goto(f"{live_server.url}/risk/liquidations/")
    rows = officer.locator("#liquidations tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("✕ Closed")
    look(officer, "liquidation-history", width)

    rows.last.locator("th a").click()

    expect(officer.locator("#liquidation-steps tbody tr")).to_have_count(3)
    look(officer, "liquidation", width)


@pytest.mark.parametrize("width", WIDTHS)
def test_margin_calls(officer: Page, account: TradingAccount, live_server: Any, width: int) -> None:
    officer.set_viewport_size({"width": width, "height": 900})
    officer.goto(f"{live_server.url}/risk/margin-calls/")

    expect(officer.locator("#open-calls tbody tr")).to_have_count(1)
    expect(officer.locator("#over-calls tbody tr")).to_have_count(1)
    look(officer, "margin-calls", width)


@pytest.mark.parametrize("width", WIDTHS)
def test_an_officer_freezes_an_account(
    officer: Page, account: TradingAccount, live_server: Any, width: int
) -> None:
    officer.set_viewport_size({"width": width, "height": 900})
    officer.goto(f"{live_server.url}/risk/accounts/{account.id}/")
    officer.click("text=Freeze…")
    look(officer, "freeze", width)

    officer.fill("input[name=reason]", "Orders that look like a mistake")
    officer.click("text=Freeze the account")

    expect(officer.locator("h1")).to_have_text(f"Account {account.id}")
    expect(officer.locator("text=Frozen in USDT:")).to_be_visible()
    assert MarginAccount.objects.get().frozen_reason == "Orders that look like a mistake"
    look(officer, "account-with-history", width)

    officer.click("text=Un-freeze…")
    officer.fill("input[name=reason]", "It was one")
    officer.click("text=Un-freeze the account")

    expect(officer.locator("text=Un-frozen in USDT.")).to_be_visible()
