"""The risk desk's pages: who may see them, what they show, what they cost."""

import csv
import json
import re
from datetime import timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from brokers.models import TradingAccount, User
from brokers.services.house import get_insurance_account_id
from common.ids import new_uuid
from exchange_project.risk.access import (
    GROUP,
    OFFICERS,
    make_risk_desk,
    make_risk_groups,
)
from exchange_project.risk.report import CSV_COLUMNS
from ledger.services.entries import post_entry
from ledger.tests.test_verification import tamper
from ledger.types import AccountKind, EntryKind, Line, VenueAccount
from margin.models import MarginAccount
from margin.services.snapshots import take_equity_snapshots
from margin.tests.factories import (
    make_asset,
    make_margin_account,
    make_perpetual,
    make_position,
    set_mark,
)
from marketdata.models import Instrument
from orders.models import Order

pytestmark = pytest.mark.django_db

PAGES = (
    "/risk/",
    "/risk/exposure/",
    "/risk/stress/",
    "/risk/insurance/",
    "/risk/liquidations/",
    "/risk/margin-calls/",
)


@pytest.fixture
def desk(client: Client) -> Client:
    """A member of the risk desk."""
    user = User.objects.create_user("risk@example.com", "password", is_staff=True)
    user.groups.add(make_risk_desk())
    client.force_login(user)
    return client


@pytest.fixture
def bitcoin() -> Instrument:
    return make_perpetual()


@pytest.fixture
def accounts(bitcoin: Instrument) -> list[TradingAccount]:
    """A safe one, one near its end, one to be liquidated, a bankrupt one; and the short."""
    made = []
    for number, collateral in enumerate(("2000", "600", "499", "-"), 1):
        amount = "0" if collateral == "-" else collateral
        account = make_margin_account(amount, document=f"D{number}", broker=f"Firm {number % 2}")
        make_position(account, bitcoin, "0.1", "50000")
        made.append(account)
    short = make_margin_account("90000", document="D5", broker="=Formula")
    make_position(short, bitcoin, "-0.4", "50000")
    return [*made, short]


def text_of(answer: Any) -> str:
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", answer.content.decode())


def rows_of(text: str, table: str) -> list[str]:
    """The text of each row of a table's body."""
    body = text.partition(f'id="{table}"')[2].partition("<tbody>")[2].partition("</tbody>")[0]
    rows = [re.sub(r"<[^>]+>", " ", row) for row in body.split("</tr>")[:-1]]
    return [" ".join(row.split()) for row in rows]


def chart_of(text: str, name: str) -> Any:
    found = re.search(rf'<script id="{name}" type="application/json">(.*?)</script>', text)
    assert found
    return json.loads(found[1])


def pay_into_fund(amount: str, ago: timedelta = timedelta(0)) -> None:
    """Book money into the insurance fund (below zero: out of it), as if some time ago."""
    asset = make_asset("USDT").id
    fund, transit = (
        VenueAccount(AccountKind.INSURANCE, asset),
        VenueAccount(AccountKind.TRANSIT, asset),
    )
    entry = post_entry(
        kind=EntryKind.ADJUSTMENT,
        source_kind="test",
        source_id=new_uuid(),
        lines=[Line(fund, D(amount)), Line(transit, -D(amount))],
        actor="test",
        memo="Test",
    )
    tamper(
        (
            "UPDATE ledger_journalentry SET posted_at = posted_at - %s WHERE id = %s",
            [ago, entry.id],
        )
    )


# --- who may see them -----------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_strangers_are_led_to_the_login(client: Client, page: str) -> None:
    answer = client.get(page)

    assert answer.status_code == 302
    assert answer["Location"] == f"/admin/login/?next={page}"


@pytest.mark.parametrize("page", [*PAGES, "/risk/accounts/1/", "/risk/?format=csv"])
@pytest.mark.parametrize("is_staff", [True, False])
def test_without_the_permission_there_is_nothing_to_see(
    client: Client, page: str, is_staff: bool
) -> None:
    user = User.objects.create_user("someone@example.com", "password", is_staff=is_staff)
    if not is_staff:
        user.user_permissions.add(Permission.objects.get(codename="view_position"))
    client.force_login(user)

    assert client.get(page).status_code == 403


@pytest.mark.parametrize("page", PAGES)
def test_every_page_without_data(desk: Client, page: str) -> None:
    answer = desk.get(page)

    assert 'class="empty"' in text_of(answer)
    assert "no-store" in answer["Cache-Control"]
    assert desk.post(page).status_code == 405


def test_the_groups_see_margin_and_officers_may_freeze_too() -> None:
    make_risk_groups()

    desk, officers = (
        set(Group.objects.get(name=name).permissions.values_list("codename", flat=True))
        for name in (GROUP, OFFICERS)
    )
    assert {"view_position", "view_liquidation", "view_margincall"} <= desk
    assert all(codename.startswith("view_") for codename in desk)
    assert officers - desk == {"change_marginaccount"} and desk < officers


def test_what_staff_took_from_the_group_stays_taken() -> None:
    make_risk_desk().permissions.clear()

    assert not make_risk_desk().permissions.exists()


def test_the_back_office_and_the_start_page_lead_to_the_desk(desk: Client) -> None:
    assert 'href="/risk/"' in text_of(desk.get("/admin/"))
    assert 'href="/risk/"' in text_of(desk.get("/"))

    desk.force_login(User.objects.create_user("other@example.com", "password", is_staff=True))

    assert 'href="/risk/"' not in text_of(desk.get("/admin/"))


# --- the margin report ----------------------------------------------------------------------------


def test_the_report_shows_who_is_near_the_end_first(desk: Client, accounts: Any) -> None:
    text = text_of(desk.get("/risk/"))

    rows = rows_of(text, "accounts")
    states = ["✕ Bankrupt", "■ Liquidate", "▲ Margin call", "● Safe", "● Safe"]
    assert len(rows) == len(states)
    for row, state in zip(rows, states, strict=True):
        assert state in row
    assert "no equity" in rows[0]
    # Initial margin 1,000 of an equity of 600; maintenance 500 of it.
    assert "166.7 %" in rows[2] and "83.3 %" in rows[2]
    # (5,000 - 2,000) / 0.09.
    assert "33,333.33" in rows[4] or "33,333.33" in rows[3]
    assert '<dd id="account-count">5</dd>' in text


def test_the_bar_is_never_longer_than_its_track(desk: Client, accounts: Any) -> None:
    text = text_of(desk.get("/risk/"))

    fills = [int(fill) for fill in re.findall(r"width: (\d+)%", text)]
    assert sorted(fills) == [4, 50, 100, 100, 100]


def test_filters_and_sort_of_the_report(desk: Client, accounts: Any) -> None:
    def documents(query: str) -> list[str]:
        rows = rows_of(text_of(desk.get(f"/risk/?{query}")), "accounts")
        return [found for row in rows for found in re.findall(r"D\d", row)]

    assert documents("search=D3") == ["D3"]
    assert documents(f"search={accounts[0].id}") == ["D1"]
    assert documents("at_risk=1") == ["D4", "D3", "D2"]
    assert documents(f"broker={accounts[1].broker_id}") == ["D4", "D2"]
    assert documents("asset=EUR") == []
    assert documents("sort=equity&order=asc") == ["D4", "D3", "D2", "D1", "D5"]
    assert documents("sort=equity&order=desc") == ["D5", "D1", "D2", "D3", "D4"]


@pytest.mark.parametrize(
    "query",
    ["sort=password", "order=sideways", "page=-1", "page=x", "page=99999999999999", "broker=x"],
)
def test_nonsense_is_as_if_it_were_not_there(desk: Client, accounts: Any, query: str) -> None:
    assert len(rows_of(text_of(desk.get(f"/risk/?{query}")), "accounts")) == 5


def test_what_is_searched_for_is_shown_as_text(desk: Client, accounts: Any) -> None:
    text = text_of(desk.get("/risk/?search=<script>alert(1)"))

    assert "&lt;script&gt;" in text
    assert "<script>alert" not in text
    assert "under this filter" in text


def test_pages_of_the_report(desk: Client, accounts: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("exchange_project.risk.report.PAGE_SIZE", 2)

    text = text_of(desk.get("/risk/?page=2&sort=account&order=asc"))

    assert "Page 2 of 3" in text
    assert [row.split()[0] for row in rows_of(text, "accounts")] == [
        str(account.id) for account in accounts[2:4]
    ]
    assert "?sort=account&amp;order=asc&amp;page=1" in text
    assert "?sort=account&amp;order=asc&amp;page=3" in text


def test_csv_has_every_line_and_every_decimal(desk: Client, accounts: Any) -> None:
    answer = desk.get("/risk/?format=csv&sort=account&order=asc")

    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert re.search(r'filename="margin-\d{8}T\d{6}Z\.csv"', answer["Content-Disposition"])
    header, *rows = csv.reader(b"".join(answer).decode().splitlines())
    assert tuple(header) == CSV_COLUMNS
    near = dict(zip(header, rows[1], strict=True))
    assert near == {
        "account_id": str(accounts[1].id),
        "document_number": "D2",
        "broker": "Firm 0",
        "asset": "USDT",
        "state": "CALL",
        "is_frozen": "false",
        "positions": "1",
        "collateral": "600",
        "unrealized_pnl": "0",
        "equity": "600",
        "initial_margin": "1000",
        "maintenance_margin": "500",
        "loss_reserve": "0",
        "free_collateral": "0",
        "utilization": "1.66666667",
        "margin_ratio": "0.83333333",
        "liquidation_price": "48888.88888889",
    }
    assert (rows[3][4], rows[3][14], rows[3][15]) == ("BANKRUPT", "", "")
    # No spreadsheet takes a broker's name for a formula.
    assert rows[4][2] == "'=Formula"


def test_csv_keeps_the_filter(desk: Client, accounts: Any) -> None:
    answer = desk.get("/risk/?format=csv&at_risk=1")

    assert len(b"".join(answer).splitlines()) == 4


def test_a_stale_mark_is_told(desk: Client, accounts: Any, bitcoin: Instrument) -> None:
    assert "is stale" not in text_of(desk.get("/risk/"))

    set_mark(bitcoin, "50000", age=timedelta(hours=1))

    assert "The mark of BTC-PERP is stale" in text_of(desk.get("/risk/"))
    assert "▲ stale" in text_of(desk.get("/risk/exposure/"))


# --- an account -----------------------------------------------------------------------------------


def test_an_accounts_page(desk: Client, accounts: Any, bitcoin: Instrument) -> None:
    account = accounts[0]
    MarginAccount.objects.create(
        account=account, asset=make_asset("USDT"), is_frozen=True, frozen_reason="Looked into"
    )
    make_order(account, bitcoin)
    set_mark(bitcoin, "49000")
    take_equity_snapshots(at=timezone.now())

    text = text_of(desk.get(f"/risk/accounts/{account.id}/"))

    assert "Frozen in USDT" in text and "Looked into" in text
    assert "BTC-PERP <small>Long</small>" in text
    assert ">1,900.00<" in text  # equity
    assert '<td data-label="Unrealized" class="loss">-100.00</td>' in text
    # (4,900 - 1,900) / 0.09 is 33,333.33, which is 32 % below 49,000.
    assert '<td data-label="Liquidation">33,333.33</td>' in text
    assert '<td data-label="Distance">-32.0 %</td>' in text
    assert '<td data-label="Bankruptcy">30,000.00</td>' in text
    assert '<td data-label="Limit">48,000.00</td>' in text
    assert '<td data-label="Loss reserve">3</td>' in text
    chart = chart_of(text, "equity-USDT")
    assert [(one["name"], one["values"]) for one in chart["series"]] == [
        ("Equity", ["1900.00000000"]),
        ("Initial margin", ["980.00000000"]),
        ("Maintenance margin", ["490.00000000"]),
    ]


def make_order(account: TradingAccount, instrument: Instrument) -> Order:
    now = timezone.now()
    return Order.objects.create(
        id=new_uuid(),
        account=account,
        broker_id=account.broker_id,
        instrument=instrument,
        side="BUY",
        order_type="LIMIT",
        time_in_force="GTC",
        limit_price=D("48000"),
        quantity=D("0.1"),
        status="OPEN",
        margin_reserve=D(3),
        sequence=1,
        created_at=now,
        updated_at=now,
    )


def test_who_is_past_liquidation_has_no_distance(
    desk: Client, accounts: Any, bitcoin: Instrument
) -> None:
    text = text_of(desk.get(f"/risk/accounts/{accounts[2].id}/"))

    assert '<td data-label="Distance">passed</td>' in text


def test_an_account_without_positions_and_one_that_is_not_there(desk: Client, bitcoin: Any) -> None:
    account = make_margin_account("100")

    assert "No positions" in text_of(desk.get(f"/risk/accounts/{account.id}/"))
    assert desk.get("/risk/accounts/999999/").status_code == 404


# --- exposure, stress, insurance fund -------------------------------------------------------------


def test_the_exposure_page(desk: Client, accounts: Any) -> None:
    text = text_of(desk.get("/risk/exposure/"))

    assert '<td data-label="Open interest">0.4</td>' in text
    assert '<td data-label="At the mark">20,000.00</td>' in text
    assert '<td data-label="Longs / shorts">4 / 1</td>' in text
    assert '<td data-label="Largest share">100.0 %</td>' in text
    assert chart_of(text, "exposure")["series"][0]["values"] == ["20000.0000000000000000"]
    assert "do not sum to zero" not in text


def test_positions_that_do_not_sum_to_zero_raise_a_voice(desk: Client, bitcoin: Any) -> None:
    make_position(make_margin_account("1"), bitcoin, "0.1", "50000")

    assert "Positions do not sum to zero: BTC-PERP" in text_of(desk.get("/risk/exposure/"))


def test_the_stress_page_by_hand(desk: Client, accounts: Any) -> None:
    """Down 30 % each long loses 1,500: left are 500, -900, -1,001 and -1,500 against 350."""
    pay_into_fund("3000")

    text = text_of(desk.get("/risk/stress/?moved=all:USDT&percent=-30"))

    facts = dict(re.findall(r"<dt>([^<]+)</dt><dd>([^<]+)</dd>", text))
    assert facts["Liquidated"] == "3"
    assert facts["Of them bankrupt"] == "3"
    assert facts["It would pay"] == "3,000.00"
    assert facts["Left to deleveraging"] == "401.00"
    assert "The fund is not enough" in text
    rows = rows_of(text, "stressed")
    assert [re.findall(r"D\d", row)[0] for row in rows] == ["D4", "D3", "D2"]
    assert rows[0].endswith("0.00 -1,500.00 350.00 1,500.00")
    curve = chart_of(text, "stress")
    assert curve["labels"][0] == "-30.0 %" and curve["labels"][-1] == "+30.0 %"
    assert [D(value) for value in curve["series"][1]["values"]][:1] == [D(3_401)]
    assert curve["series"][0]["values"][0] == "3"


def test_the_stress_moves_what_the_fund_has_taken_over(desk: Client, accounts: Any) -> None:
    """0.1 long from 55,000 with 3,000: 2,500 at 50,000, and at 35,000 1,000 for losses of 3,401."""
    pay_into_fund("3000")
    fund = TradingAccount.objects.get(id=get_insurance_account_id())
    make_position(fund, Instrument.objects.get(), "0.1", "55000")

    text = text_of(desk.get("/risk/stress/?moved=all:USDT&percent=-30"))

    facts = dict(re.findall(r"<dt>([^<]+)</dt><dd>([^<]+)</dd>", text))
    assert facts["The insurance fund has"] == "2,500.00"
    assert facts["After the move"] == facts["It would pay"] == "1,000.00"
    assert facts["Left to deleveraging"] == "2,401.00"
    of_fund = [D(value) for value in chart_of(text, "stress")["series"][2]["values"]]
    assert (of_fund[0], of_fund[-1]) == (1_000, 4_000)


def test_the_stress_of_one_symbol_and_of_none(desk: Client, accounts: Any) -> None:
    symbol = text_of(desk.get("/risk/stress/?moved=BTC-PERP&percent=0"))
    nonsense = text_of(desk.get("/risk/stress/?moved=GONE&percent=many"))

    # As it stands: who is below already.
    assert len(rows_of(symbol, "stressed")) == 2
    assert "-10.0 %" in nonsense
    assert '<option value="all:USDT" selected>' in nonsense


def test_marks_do_not_fall_below_zero(desk: Client, accounts: Any) -> None:
    text = text_of(desk.get("/risk/stress/?percent=500"))

    labels = chart_of(text, "stress")["labels"]
    assert labels[0] == "-100.0 %"
    assert labels[-1] == "+500.0 %"


def test_the_insurance_fund_over_time(desk: Client) -> None:
    pay_into_fund("100", timedelta(days=30))
    pay_into_fund("50.5", timedelta(days=2))
    pay_into_fund("-20", timedelta(minutes=5))

    text = text_of(desk.get("/risk/insurance/?period=7d"))

    assert "<dd>130.50</dd>" in text
    values = [D(value) for value in chart_of(text, "fund")["series"][0]["values"]]
    assert values == [D(100), D("150.5"), D("130.5"), D("130.5")]
    amounts = re.findall(r'data-label="Amount"[^>]*>([^<]+)<', text)
    assert amounts == ["-20.00", "+50.50", "+100.00"]
    hour = chart_of(text_of(desk.get("/risk/insurance/?period=1h&asset=USDT")), "fund")
    assert [D(value) for value in hour["series"][0]["values"]] == [
        D("150.5"),
        D("130.5"),
        D("130.5"),
    ]


def test_the_positions_that_the_fund_took_over(desk: Client) -> None:
    assert "Positions taken over" not in text_of(desk.get("/risk/insurance/"))
    perpetual = make_perpetual()
    fund = TradingAccount.objects.get(id=get_insurance_account_id())
    make_position(fund, perpetual, "-0.5", "52000")

    text = text_of(desk.get("/risk/insurance/"))

    assert "BTC-PERP <small>short</small>" in text
    shown = re.findall(r'data-label="[^"]+"[^>]*>([^<]+)<', text)
    assert shown == ["0.5", "52,000.00", "50,000.00", "25,000.00", "1,000.00 USDT"]


# --- what they cost -------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [*PAGES, "account", "/risk/?format=csv"])
def test_more_accounts_cost_no_more_queries(
    desk: Client, accounts: Any, bitcoin: Instrument, page: str
) -> None:
    address = f"/risk/accounts/{accounts[0].id}/" if page == "account" else page
    few = _queries(desk, address)
    for number in range(20):
        account = make_margin_account("10", document=f"N{number}", broker=f"New {number}")
        make_position(account, bitcoin, "0.1", "50000")
        make_order(accounts[0], bitcoin)
        make_order(account, bitcoin)

    assert _queries(desk, address) == few
    # Session, person and permissions are four of them; savepoints of tests count too.
    assert few <= 18


def _queries(desk: Client, address: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        answer = desk.get(address)
        b"".join(answer)
    assert answer.status_code == 200
    return len(captured)
