"""The pages that people see, in a real browser."""

from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.utils import quote
from playwright.sync_api import Browser, Page, expect

from brokers.models import ApiKey, Broker
from common.ids import new_uuid
from marketdata.selectors import get_instrument_spec
from orders.services.place import place_order
from orders.tests.fixtures import principal_of
from tests.browser.conftest import ADMIN

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("demo")]

OWN_APPS = ("brokers", "marketdata", "ledger", "margin", "orders")


def trade() -> None:
    """One trade of AAPL and a rest of the ask in the book."""
    seller, buyer = principal_of("Seller"), principal_of("Buyer")
    for principal, side, quantity in ((seller, "SELL", 10), (buyer, "BUY", 4)):
        place_order(
            principal=principal,
            document_number="1",
            instrument=get_instrument_spec("AAPL"),
            side=side,
            order_type="LIMIT",
            time_in_force="GTC",
            limit_price=Decimal(150),
            quantity=Decimal(quantity),
            valid_until=None,
            client_order_id=None,
        )


def log_in(page: Page, url: str) -> None:
    page.goto(f"{url}/admin/")
    page.fill("input[name=username]", ADMIN[0])
    page.fill("input[name=password]", ADMIN[1])
    page.click("button[type=submit]")
    expect(page).to_have_url(f"{url}/admin/")


@pytest.mark.parametrize("width", [1280, 390])
def test_the_start_page_shows_the_living_venue(page: Page, live_server: Any, width: int) -> None:
    trade()
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(live_server.url)

    expect(page.locator("h1")).to_have_text("Bourse")
    expect(page.locator("#market tr, #glance tr", has_text="AAPL")).to_contain_text("150.00")
    # Nothing is wider than the screen.
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_swagger_tries_a_request_with_a_key(page: Page, live_server: Any) -> None:
    page.goto(f"{live_server.url}/docs")
    expect(page.locator(".info .title")).to_contain_text("Bourse")
    expect(page.locator(".opblock-tag", has_text="classic").first).to_be_visible()
    expect(page.locator(".opblock").first).to_be_visible()


def test_redoc_shows_the_api(page: Page, live_server: Any) -> None:
    page.goto(f"{live_server.url}/redoc")
    expect(page.locator("h1", has_text="Bourse").first).to_be_visible(timeout=20_000)


def test_staff_open_every_list_of_the_back_office(page: Page, live_server: Any) -> None:
    trade()
    log_in(page, live_server.url)
    for model in apps.get_models():
        if model._meta.app_label not in OWN_APPS or not admin.site.is_registered(model):
            continue
        path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        answer = page.goto(live_server.url + path)
        assert answer is not None
        assert answer.status == 200, path


def test_staff_open_every_form_of_the_back_office(page: Page, live_server: Any) -> None:
    """Also that of periodic tasks, a library's. The menu works, which Alpine opens."""
    trade()
    log_in(page, live_server.url)
    for model in apps.get_models():
        if not admin.site.is_registered(model):
            continue
        row = model._default_manager.order_by("pk").first()
        form = "add" if row is None else f"{quote(row.pk)}/change"
        path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/{form}/"
        answer = page.goto(live_server.url + path)
        assert answer is not None
        assert answer.status in (200, 403), path
    page.goto(f"{live_server.url}/admin/")
    assert page.evaluate(
        "window.Alpine !== undefined && document.querySelector('[x-cloak]') === null"
    )


@pytest.mark.parametrize("path", ["/", "/admin/", "/risk/", "/docs"])
def test_what_is_slipped_into_a_page_does_not_run(
    browser: Browser, live_server: Any, path: str
) -> None:
    context = browser.new_context()
    page = context.new_page()
    log_in(page, live_server.url)
    page.goto(live_server.url + path)
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.slipped = true";
            document.body.append(script);
            const image = "<img src=x onerror='window.slipped = true'>";
            document.body.insertAdjacentHTML("beforeend", image);
        }"""
    )
    page.wait_for_timeout(200)
    assert page.evaluate("window.slipped") is None
    context.close()


def test_every_model_that_a_table_stands_for_is_in_the_back_office() -> None:
    admin.autodiscover()
    missing = [
        model._meta.label
        for model in apps.get_models()
        if model._meta.app_label in OWN_APPS
        and model._meta.managed
        and not admin.site.is_registered(model)
    ]
    assert missing == []


def test_staff_look_into_an_order(page: Page, live_server: Any) -> None:
    trade()
    log_in(page, live_server.url)
    page.goto(f"{live_server.url}/admin/orders/order/")
    page.locator("#result_list tbody tr a, table tbody tr a").first.click()
    expect(page.locator("body")).to_contain_text("AAPL")
    # Facts are read-only.
    assert page.locator("input[name=quantity]").count() == 0


def test_a_stranger_sees_no_back_office(page: Page, live_server: Any) -> None:
    page.goto(f"{live_server.url}/admin/orders/order/{new_uuid()}/change/")
    expect(page.locator("input[name=password]")).to_be_visible()
    assert Broker.objects.exists() and ApiKey.objects.exists()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_trial_balance_fits_the_screen(page: Page, live_server: Any, width: int) -> None:
    trade()
    log_in(page, live_server.url)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{live_server.url}/admin/ledger/trial-balance/")

    dollars = page.locator("#asset-USD")
    expect(dollars).to_contain_text("balanced")
    expect(dollars.locator("tr").last.locator("td").last).to_have_text("0.0000")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
