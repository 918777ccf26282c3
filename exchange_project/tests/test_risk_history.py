"""The risk desk's pages of liquidations and margin calls, and the form that freezes."""

import csv
import re
from datetime import timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from brokers.models import TradingAccount, User
from brokers.services.house import get_insurance_account_id
from common.ids import new_uuid
from exchange_project.risk.access import make_risk_desk, make_risk_officers
from exchange_project.tests.test_risk_pages import rows_of, text_of
from margin.api.history_documents import CALL_COLUMNS, LIQUIDATION_COLUMNS
from margin.models import FreezeChange, MarginAccount, MarginCall
from margin.services.freezing import freeze_margin_account, unfreeze_margin_account
from margin.tests.factories import (
    make_asset,
    make_liquidation,
    make_margin_account,
    make_perpetual,
    make_position,
)

pytestmark = pytest.mark.django_db


def log_in(client: Client, group: Any) -> User:
    user = User.objects.create_user("risk@example.com", "password", is_staff=True)
    user.groups.add(group)
    client.force_login(user)
    return user


@pytest.fixture
def desk(client: Client) -> Client:
    """A member of the risk desk."""
    log_in(client, make_risk_desk())
    return client


@pytest.fixture
def accounts() -> list[TradingAccount]:
    return [
        make_margin_account("1000", document=f"D{number}", broker=f"=Firm {number % 2}")
        for number in range(1, 4)
    ]


def make_call(account: TradingAccount, *, is_over: bool = False) -> MarginCall:
    now = timezone.now()
    return MarginCall.objects.create(
        account=account,
        asset=make_asset("USDT"),
        level=D("0.8"),
        equity=D("600.5"),
        maintenance_margin=D(500),
        raised_at=now,
        resolved_at=now if is_over else None,
    )


def csv_rows(answer: Any) -> list[dict[str, str]]:
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(b"".join(answer).decode().splitlines()))


# --- liquidations ---------------------------------------------------------------------------------


def test_the_history_and_its_filters(desk: Client, accounts: list[TradingAccount]) -> None:
    make_perpetual()
    now = timezone.now()
    make_liquidation(accounts[0], executed_at=now - timedelta(days=3))
    make_liquidation(accounts[1], outcome="CLOSED", bad_debt=D(7), fund_result=D("-12.5"))

    def found(query: str = "") -> list[str]:
        return rows_of(text_of(desk.get(f"/risk/liquidations/?{query}")), "liquidations")

    newest, oldest = found()
    assert f"{accounts[1].id} USDT D2 · =Firm 0 ✕ Closed" in newest
    assert "400.00 → 10.00 500.00 → 0.00 2.50 -12.50 7.00" in newest
    assert "▲ Restored" in oldest and oldest.endswith("2.50 387.50 0.00")
    assert found("search=D1") == [oldest]
    assert found(f"search={accounts[1].id}") == [newest]
    assert found("outcome=CLOSED") == [newest]
    assert found("period=1d") == [newest]
    assert found("asset=USDT") == [newest, oldest]
    assert found("asset=EUR") == []
    for nonsense in ("outcome=x", "period=x", "cursor=x", "page_size=x"):
        assert found(nonsense) == [newest, oldest]
    assert 'class="loss">-12.50<' in text_of(desk.get("/risk/liquidations/"))


def test_pages_of_the_history(
    desk: Client, accounts: list[TradingAccount], monkeypatch: Any
) -> None:
    monkeypatch.setattr("exchange_project.risk.liquidations.PAGE_SIZE", 2)
    made = [make_liquidation(accounts[0]) for _ in range(5)]

    shown: list[str] = []
    query = "?outcome=RESTORED"
    for _ in range(3):
        text = text_of(desk.get(f"/risk/liquidations/{query}"))
        shown += [one for one in (str(row.pk) for row in reversed(made)) if one in text]
        before, _, rest = text.partition('" rel="next"')
        query = before.rpartition('href="')[2].replace("&amp;", "&") if rest else ""
    assert shown == [str(row.pk) for row in reversed(made)]
    assert query == ""
    assert 'rel="prev"' in text


def test_the_history_as_csv(desk: Client, accounts: list[TradingAccount]) -> None:
    made = [make_liquidation(account) for account in accounts]

    rows = csv_rows(desk.get("/risk/liquidations/?format=csv&search=D2"))

    assert tuple(rows[0]) == LIQUIDATION_COLUMNS
    assert [(row["id"], row["broker"]) for row in rows] == [(str(made[1].pk), "'=Firm 0")]


def test_a_liquidation_step_by_step(desk: Client, accounts: list[TradingAccount]) -> None:
    made = make_liquidation(accounts[0], instrument=make_perpetual())

    text = text_of(desk.get(f"/risk/liquidations/{made.pk}/"))

    assert rows_of(text, "liquidation-steps") == [
        "1. New orders frozen – – – – – 400.00 → 400.00 500.00 → 500.00",
        "2. Taken over by the insurance fund BTC-PERP -0.1 46,100.00 50,000.00 –"
        " 400.00 → 10.00 500.00 → 0.00",
        "3. New orders allowed again – – – – – 10.00 → 10.00 0.00 → 0.00",
    ]
    assert desk.get(f"/risk/liquidations/{new_uuid()}/").status_code == 404


# --- margin calls ---------------------------------------------------------------------------------


def test_open_calls_come_first(desk: Client, accounts: list[TradingAccount]) -> None:
    make_call(accounts[0])
    make_call(accounts[1], is_over=True)

    text = text_of(desk.get("/risk/margin-calls/"))

    (open_call,) = rows_of(text, "open-calls")
    assert open_call.startswith(f"{accounts[0].id} D1 · =Firm 1 80.0 % 600.50 USDT 500.00")
    assert open_call.endswith(" open")
    (over,) = rows_of(text, "over-calls")
    assert over.startswith(f"{accounts[1].id} ") and not over.endswith("open")
    assert text.index("open-calls") < text.index("over-calls")
    searched = text_of(desk.get("/risk/margin-calls/?search=D2"))
    assert "Nobody is asked for collateral under this filter" in searched
    assert len(rows_of(searched, "over-calls")) == 1


def test_margin_calls_as_csv(desk: Client, accounts: list[TradingAccount]) -> None:
    made = [make_call(account) for account in accounts]

    rows = csv_rows(desk.get("/risk/margin-calls/?format=csv"))

    assert tuple(rows[0]) == CALL_COLUMNS
    assert [row["id"] for row in rows] == [str(call.pk) for call in reversed(made)]


def test_more_calls_than_a_page_shows(
    desk: Client, accounts: list[TradingAccount], monkeypatch: Any
) -> None:
    monkeypatch.setattr("exchange_project.risk.calls._OPEN_MAX", 1)
    monkeypatch.setattr("exchange_project.risk.calls.PAGE_SIZE", 1)
    for account in accounts[:2]:
        make_call(account)
        make_call(account, is_over=True)

    text = text_of(desk.get("/risk/margin-calls/"))

    assert len(rows_of(text, "open-calls")) == len(rows_of(text, "over-calls")) == 1
    assert "There are more" in text and 'rel="next"' in text


def test_an_account_shows_what_happened_to_it(desk: Client, accounts: list[TradingAccount]) -> None:
    make_call(accounts[0])
    make_call(accounts[0], is_over=True)
    made = make_liquidation(accounts[0])
    person = User.objects.create_user("officer@example.com")
    for actor, change in ((f"user:{person.pk}", freeze_margin_account),
                          ("venue-admin", unfreeze_margin_account),
                          ("user:7", freeze_margin_account)):  # fmt: skip
        change(account_id=accounts[0].id, asset="USDT", reason="Looked into", actor=actor)

    text = text_of(desk.get(f"/risk/accounts/{accounts[0].id}/"))

    assert len(rows_of(text, "account-calls")) == 1
    assert f"/risk/liquidations/{made.pk}/" in text
    assert "Frozen in USDT" in text
    assert re.findall(r'data-label="By">([^<]+)<', text) == [
        "user:7",
        "venue-admin",
        "officer@example.com",
    ]
    assert "Un-freeze…" not in text


# --- freezing -------------------------------------------------------------------------------------


@pytest.fixture
def page(accounts: list[TradingAccount]) -> str:
    return f"/risk/accounts/{accounts[0].id}/freeze/USDT/"


def test_only_officers_get_to_the_form(client: Client, page: str) -> None:
    assert client.get(page)["Location"].startswith("/admin/login/?next=")
    log_in(client, make_risk_desk())

    assert client.get(page).status_code == 403
    refused = client.post(page, {"reason": "Looked into", "action": "freeze"})
    assert refused.status_code == 403
    assert not FreezeChange.objects.exists()


def test_an_officer_freezes_and_unfreezes(
    client: Client, accounts: list[TradingAccount], page: str
) -> None:
    user = log_in(client, make_risk_officers())
    make_position(accounts[0], make_perpetual(), "0.1", "50000")
    account_page = f"/risk/accounts/{accounts[0].id}/"
    assert f'href="{page}">Freeze…' in text_of(client.get(account_page))
    assert "Freeze the account" in text_of(client.get(page))

    assert "This field is required" in text_of(client.post(page, {"action": "freeze"}))
    assert not FreezeChange.objects.exists()

    done = client.post(page, {"reason": "Looked into", "action": "freeze"}, follow=True)
    text = text_of(done)
    assert "Frozen in USDT." in text and f'href="{page}">Un-freeze…' in text
    assert "Frozen because" in text_of(client.get(page))

    # A second officer had the form open too.
    again = client.post(page, {"reason": "Me too", "action": "freeze"}, follow=True)
    assert "The collateral is frozen already" in text_of(again)

    client.post(page, {"reason": "All is well", "action": "unfreeze"})
    assert not MarginAccount.objects.get().is_frozen
    changes = FreezeChange.objects.order_by("id").values_list("is_frozen", "reason", "actor")
    assert list(changes) == [
        (True, "Looked into", f"user:{user.pk}"),
        (False, "All is well", f"user:{user.pk}"),
    ]


def test_who_has_no_position_yet_can_be_frozen_too(
    client: Client, accounts: list[TradingAccount], page: str
) -> None:
    make_perpetual()
    log_in(client, make_risk_officers())

    account_page = text_of(client.get(f"/risk/accounts/{accounts[0].id}/"))

    assert f'href="{page}">Freeze in USDT…' in account_page


def test_what_cannot_be_frozen(client: Client, accounts: list[TradingAccount]) -> None:
    log_in(client, make_risk_officers())
    make_asset("USDT")

    assert client.get("/risk/accounts/999999/freeze/USDT/").status_code == 404
    assert client.get(f"/risk/accounts/{accounts[0].id}/freeze/NONE/").status_code == 404
    house = f"/risk/accounts/{get_insurance_account_id()}/freeze/USDT/"
    refused = client.post(house, {"reason": "Please", "action": "freeze"}, follow=True)
    assert "own accounts are never frozen" in refused.content.decode()
    assert not FreezeChange.objects.exists()


def test_a_form_of_another_site_freezes_nothing(accounts: list[TradingAccount], page: str) -> None:
    strict = Client(enforce_csrf_checks=True)
    log_in(strict, make_risk_officers())

    assert strict.post(page, {"reason": "Evil", "action": "freeze"}).status_code == 403
    assert not FreezeChange.objects.exists()
