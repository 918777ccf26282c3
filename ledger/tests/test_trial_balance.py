"""The trial balance: sums, now and then, as a page, as CSV and over HTTP."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission
from django.test import Client

from brokers.models import Funding, TradingAccount, User
from ledger.errors import ReportTooSlow
from ledger.models import LedgerAccount
from ledger.reports import grouped, trial_balance_csv
from ledger.selectors import BalanceSum, get_trial_balance, trial_balance
from ledger.tests.factories import fund, make_account, spend_on_credit
from ledger.tests.test_api import headers_of
from ledger.tests.test_verification import tamper

pytestmark = pytest.mark.django_db

PAGE = "/admin/ledger/trial-balance/"
API = "/api/v1/trial-balance"


@pytest.fixture
def booked() -> list[TradingAccount]:
    """Three clients with 1,000.25, 20 and −5 dollars, two of them with 3 shares each."""
    accounts = [make_account(), make_account(), make_account(Funding.CREDIT)]
    fund(accounts[0], "1000.25")
    fund(accounts[1], "20")
    spend_on_credit(accounts[2], "5")
    fund(accounts[0], "3", "ACME")
    fund(accounts[2], "3", "ACME")
    return accounts


def d(text: str) -> Decimal:
    return Decimal(text)


def test_lines_sums_and_zero(booked: Any) -> None:
    acme, usd = get_trial_balance()

    assert (usd.asset, usd.scale, usd.is_balanced) == ("USD", 4, True)
    assert usd.lines == (
        BalanceSum("CASH", 3, d("-5"), d("1020.25")),
        BalanceSum("TRANSIT", 1, d("-1015.25"), d("0")),
    )
    assert usd.total == BalanceSum("TOTAL", 4, d("-1020.25"), d("1020.25"))
    assert [line.net for line in usd.lines] == [d("1015.25"), d("-1015.25")]
    assert [(line.kind, line.net) for line in acme.lines] == [("SECURITY", 6), ("TRANSIT", -6)]


def test_one_asset_and_none(booked: Any) -> None:
    assert [one.asset for one in get_trial_balance(asset="acme")] == ["ACME"]
    assert get_trial_balance(asset="NONE") == []
    assert get_trial_balance(at=datetime(2001, 1, 1, tzinfo=UTC)) == []


def test_an_account_that_was_never_posted_to_does_not_count(booked: Any) -> None:
    usd = LedgerAccount.objects.filter(asset__code="USD").values_list("asset_id", flat=True)[0]
    LedgerAccount.objects.create(kind="FEES", asset_id=usd)

    assert [line.kind for line in get_trial_balance(asset="USD")[0].lines] == ["CASH", "TRANSIT"]


def test_as_of_an_instant_from_the_postings_before_it(booked: Any) -> None:
    tamper(("UPDATE ledger_journalentry SET posted_at = posted_at - interval '2 days'", []))
    fund(booked[0], "0.75")
    yesterday = datetime.now(UTC) - timedelta(days=1)

    then, now = get_trial_balance(asset="USD", at=yesterday), get_trial_balance(asset="USD")

    assert then[0].lines[0] == BalanceSum("CASH", 3, d("-5"), d("1020.25"))
    assert now[0].lines[0] == BalanceSum("CASH", 3, d("-5"), d("1021"))
    assert get_trial_balance(at=datetime.now(UTC)) == get_trial_balance()


def test_what_does_not_come_to_zero_is_said(booked: Any) -> None:
    LedgerAccount.objects.filter(kind="TRANSIT", asset__code="USD").update(posted_balance=-1015)

    (usd,) = get_trial_balance(asset="USD")

    assert not usd.is_balanced
    assert usd.total.net == d("0.25")


def test_one_that_takes_too_long_is_refused(booked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_balance, "_AT", "SELECT pg_sleep(3)")
    monkeypatch.setattr(trial_balance, "STATEMENT_SECONDS", 1)

    with pytest.raises(ReportTooSlow) as refusal:
        get_trial_balance(at=datetime.now(UTC))
    assert refusal.value.facts == {"seconds_max": 1}
    assert len(get_trial_balance()) == 2


@pytest.mark.parametrize(
    ("amount", "scale", "text"),
    [
        ("0", 4, "0.0000"),
        ("0E-8", 0, "0"),
        ("-1234567.50000000", 4, "-1,234,567.5000"),
        ("1.00000001", 4, "1.00000001"),
        ("123456789012345678901234567890.12345678", 2, None),
    ],
)
def test_amounts_are_grouped_and_never_rounded(amount: str, scale: int, text: str | None) -> None:
    shown = grouped(Decimal(amount), scale)

    assert shown == (text or "123,456,789,012,345,678,901,234,567,890.12345678")


def test_csv(booked: Any) -> None:
    rows = list(csv.reader(io.StringIO(trial_balance_csv(get_trial_balance()))))

    assert rows == [
        ["asset", "kind", "accounts", "debit", "credit", "net"],
        ["ACME", "SECURITY", "2", "0", "6", "6"],
        ["ACME", "TRANSIT", "1", "-6", "0", "-6"],
        ["ACME", "TOTAL", "3", "-6", "6", "0"],
        ["USD", "CASH", "3", "-5", "1020.25", "1015.25"],
        ["USD", "TRANSIT", "1", "-1015.25", "0", "-1015.25"],
        ["USD", "TOTAL", "4", "-1020.25", "1020.25", "0"],
    ]


# --- the page -------------------------------------------------------------------------------------


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("staff@example.com", "password"))
    return client


def text_of(answer: Any) -> str:
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_the_page_shows_lines_and_zero(staff: Client, booked: Any) -> None:
    text = text_of(staff.get(PAGE))

    assert text.count('scope="rowgroup"') == 2
    for wanted in ("Cash in transit", "1,020.2500", "-1,015.2500", ">6<", "balanced"):
        assert wanted in text
    assert "Not balanced" not in text
    assert "As of the end of" not in text


def test_the_page_marks_what_is_not_balanced(staff: Client, booked: Any) -> None:
    LedgerAccount.objects.filter(kind="TRANSIT", asset__code="USD").update(posted_balance=-1015)

    text = text_of(staff.get(PAGE))

    assert "Not balanced: USD." in text
    assert "not balanced</span>" in text


def test_the_page_of_one_asset_and_day(staff: Client, booked: Any) -> None:
    today = datetime.now(UTC).date()

    text = text_of(staff.get(PAGE, {"asset": " acme ", "day": str(today)}))
    assert f"As of the end of {today}" in text
    assert f"asset=acme&amp;day={today}&amp;format=csv" in text
    assert text.count('scope="rowgroup"') == 1

    before = text_of(staff.get(PAGE, {"day": str(today - timedelta(days=1))}))
    assert "Nothing has been booked by then." in before


@pytest.mark.parametrize("day", ["31.1.2026", "2026-02-30", "x"])
def test_a_day_that_is_none_shows_the_present(staff: Client, booked: Any, day: str) -> None:
    text = text_of(staff.get(PAGE, {"day": day}))

    assert "The day must look like" in text
    assert "1,020.2500" in text


@pytest.mark.parametrize("query", [{"day": "9999-12-31"}, {"day": "0001-01-01"}, {"asset": "'\0"}])
def test_nonsense_is_no_error(staff: Client, booked: Any, query: dict[str, str]) -> None:
    assert staff.get(PAGE, query).status_code == 200


def test_a_slow_day_is_told_on_the_page(
    staff: Client, booked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial_balance, "_AT", "SELECT pg_sleep(3)")
    monkeypatch.setattr(trial_balance, "STATEMENT_SECONDS", 1)

    assert "takes too long" in text_of(staff.get(PAGE, {"day": "2026-01-01", "format": "csv"}))


def test_the_page_as_csv(staff: Client, booked: Any) -> None:
    answer = staff.get(PAGE, {"asset": "USD", "day": "2999-01-01", "format": "csv"})

    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert 'filename="trial-balance-2999-01-01.csv"' in answer["Content-Disposition"]
    assert answer.content.decode() == trial_balance_csv(get_trial_balance(asset="USD"))


def test_only_staff_who_may_see_accounts_see_it(client: Client, booked: Any) -> None:
    assert client.get(PAGE).status_code == 302
    person = User.objects.create_user("clerk@example.com", "password", is_staff=True)
    client.force_login(person)
    assert client.get(PAGE).status_code == 403
    assert PAGE not in text_of(client.get("/admin/"))

    person.user_permissions.add(Permission.objects.get(codename="view_ledgeraccount"))
    assert client.get(PAGE).status_code == 200
    assert text_of(client.get("/admin/")).count(PAGE) == 2


def test_the_page_costs_the_same_however_much_is_booked(
    staff: Client, booked: Any, django_assert_num_queries: Any
) -> None:
    # Session, user, savepoint, time limit, balances, release.
    with django_assert_num_queries(6):
        staff.get(PAGE)


# --- over HTTP ------------------------------------------------------------------------------------


@pytest.fixture
def admin_headers() -> Iterator[dict[str, str]]:
    yield {"Authorization": f"Bearer {settings.ADMIN_API_KEY}"}


def test_the_document(client: Client, booked: Any, admin_headers: dict[str, str]) -> None:
    answer = client.get(API, {"asset": "usd"}, headers=admin_headers)

    assert answer.json() == {
        "at": None,
        "is_balanced": True,
        "assets": [
            {
                "asset": "USD",
                "is_balanced": True,
                "account_count": 4,
                "debit": "-1020.25",
                "credit": "1020.25",
                "net": "0",
                "lines": [
                    {
                        "kind": "CASH",
                        "account_count": 3,
                        "debit": "-5",
                        "credit": "1020.25",
                        "net": "1015.25",
                    },
                    {
                        "kind": "TRANSIT",
                        "account_count": 1,
                        "debit": "-1015.25",
                        "credit": "0",
                        "net": "-1015.25",
                    },
                ],
            }
        ],
    }


def test_at_an_instant_and_as_csv(
    client: Client, booked: Any, admin_headers: dict[str, str]
) -> None:
    then = client.get(API, {"at": "2001-01-01T00:00:00Z"}, headers=admin_headers).json()
    answer = client.get(API, {"format": "csv"}, headers=admin_headers)

    assert then == {"at": "2001-01-01T00:00:00.000000Z", "is_balanced": True, "assets": []}
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.content.decode() == trial_balance_csv(get_trial_balance())


@pytest.mark.parametrize(
    ("query", "field"), [({"at": "today"}, "at"), ({"format": "xml"}, "format")]
)
def test_a_wrong_field_is_named(
    client: Client, query: dict[str, str], field: str, admin_headers: dict[str, str]
) -> None:
    answer = client.get(API, query, headers=admin_headers)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_it_is_for_the_venue_alone(client: Client, booked: list[TradingAccount]) -> None:
    assert client.get(API).status_code == 401
    answer = client.get(API, headers=headers_of(booked[0]))
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")
