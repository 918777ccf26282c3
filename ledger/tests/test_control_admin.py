"""Seals, checks and alerts in the back office: facts to look at, and alerts to act on."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from brokers.models import User
from common.reconciliation import CheckResult
from ledger.models import Alert, LedgerCheck, Seal
from ledger.services import acknowledge_alert, raise_alert, resolve_alert
from ledger.services.checks import record_check
from ledger.tests.factories import fund, make_account
from ledger.tests.test_sealing import seal
from ledger.types import AlertSeverity

pytestmark = pytest.mark.django_db

ALERTS = "/admin/ledger/alert/"


@pytest.fixture
def person() -> User:
    return User.objects.create_superuser("staff@example.com", "password")


@pytest.fixture
def staff(client: Client, person: User) -> Client:
    client.force_login(person)
    return client


def text_of(answer: Any) -> str:
    assert answer.status_code == 200
    return str(answer.content.decode())


def raised(kind: str, message: str, severity: str = "CRITICAL") -> Alert:
    return raise_alert(kind=kind, severity=AlertSeverity(severity), message=message)


def result(name: str, shown: tuple[dict[str, Any], ...] = ()) -> CheckResult:
    return CheckResult(name, f"{name} agree.", 12_345, len(shown), shown, 0.5)


# --- alerts ---------------------------------------------------------------------------------------


def test_open_alerts_come_first_the_newest_on_top(staff: Client) -> None:
    raised("a", "The old one.")
    raised("b", "The resolved one.")
    resolve_alert(kind="b")
    raised("c", "The new one.")

    rows = staff.get(ALERTS).context["cl"].queryset

    assert [alert.kind for alert in rows][-1] == "b"
    assert {alert.kind for alert in rows[:2]} == {"a", "c"}


@pytest.mark.parametrize(
    ("state", "kinds"),
    [("open", {"a", "c"}), ("acknowledged", {"c"}), ("resolved", {"b"}), ("", {"a", "b", "c"})],
)
def test_alerts_by_state(staff: Client, person: User, state: str, kinds: set[str]) -> None:
    raised("a", "One.")
    raised("b", "Two.")
    resolve_alert(kind="b")
    acknowledge_alert(alert=raised("c", "Three."), user=person)

    rows = staff.get(ALERTS, {"state": state} if state else {}).context["cl"].queryset

    assert {alert.kind for alert in rows} == kinds


def act(client: Client, action: str, *alerts: Alert) -> Any:
    chosen = {"action": action, "_selected_action": [alert.id for alert in alerts]}
    return client.post(ALERTS, chosen, follow=True)


def test_acknowledging_and_resolving_are_actions_and_are_logged(
    staff: Client, person: User
) -> None:
    first, second = raised("a", "One."), raised("b", "Two.")

    assert "Acknowledged. (2)" in text_of(act(staff, "acknowledge", first, second))
    assert "Resolved. (1)" in text_of(act(staff, "resolve", first))

    first.refresh_from_db()
    second.refresh_from_db()
    assert first.acknowledged_by == second.acknowledged_by == person
    assert first.resolved_at is not None
    assert second.resolved_at is None
    history = text_of(staff.get(f"{ALERTS}{first.id}/history/"))
    assert "Acknowledged." in history
    assert "Resolved." in history


def test_who_may_only_look_cannot_act(client: Client) -> None:
    alert = raised("a", "One.")
    clerk = User.objects.create_user("clerk@example.com", "password", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_alert"))
    client.force_login(clerk)

    page = text_of(client.get(ALERTS))
    assert "One." in page
    assert "Acknowledge: I look after it" not in page
    act(client, "acknowledge", alert)
    act(client, "resolve", alert)
    alert.refresh_from_db()
    assert alert.acknowledged_at is None
    assert alert.resolved_at is None

    clerk.user_permissions.add(Permission.objects.get(codename="change_alert"))
    act(client, "acknowledge", alert)
    alert.refresh_from_db()
    assert alert.acknowledged_by == clerk


def test_an_alert_shows_its_facts_and_cannot_be_edited(staff: Client) -> None:
    alert = raise_alert(
        kind="a",
        severity=AlertSeverity.CRITICAL,
        message="One.",
        facts={"differences": {"<b>": 2}},
    )

    text = text_of(staff.get(f"{ALERTS}{alert.id}/change/"))

    assert "differences: {&quot;&lt;b&gt;&quot;: 2}" in text
    assert staff.post(f"{ALERTS}{alert.id}/change/", {"message": "x"}).status_code == 403
    assert staff.get(f"{ALERTS}add/").status_code == 403


# --- the first page -------------------------------------------------------------------------------


def test_the_first_page_tells_open_alerts(staff: Client) -> None:
    assert "open-alerts" not in text_of(staff.get("/admin/"))
    raised("a", "The ledger differs.", "WARNING")

    text = text_of(staff.get("/admin/"))
    assert "1 open alert<" in text
    assert "The ledger differs." in text
    assert "bg-orange-100" in text

    raised("b", "Worse.")
    text = text_of(staff.get("/admin/"))
    assert "2 open alerts<" in text
    assert "bg-red-100" in text


def test_alerts_are_told_to_whom_may_see_them(client: Client) -> None:
    raised("a", "The ledger differs.")
    clerk = User.objects.create_user("clerk@example.com", "password", is_staff=True)
    client.force_login(clerk)

    assert "The ledger differs." not in text_of(client.get("/admin/"))
    clerk.user_permissions.add(Permission.objects.get(codename="view_alert"))
    assert "The ledger differs." in text_of(client.get("/admin/"))


def test_the_sidebar_has_every_list(staff: Client) -> None:
    text = text_of(staff.get("/admin/ledger/seal/"))

    for link in ("/admin/ledger/trial-balance/", ALERTS, "/admin/brokers/user/"):
        assert f'href="{link}"' in text


# --- checks and seals -----------------------------------------------------------------------------


def test_a_check_shows_what_was_found(staff: Client) -> None:
    check = record_check(
        started_at=datetime.now(UTC),
        results=[result("balances"), result("chains", ({"posting": 7, "balance": "<1>"},))],
    )

    page = text_of(staff.get("/admin/ledger/ledgercheck/"))
    text = text_of(staff.get(f"/admin/ledger/ledgercheck/{check.id}/change/"))

    assert "differs" in page
    assert "chains agree." in text
    assert "12,345" in text
    assert "balance: &lt;1&gt; · posting: 7" in text


def test_a_seal_is_found_by_its_number_or_head(staff: Client) -> None:
    fund(make_account(), "1")
    head = seal().head

    def found(term: str) -> int:
        answer = staff.get("/admin/ledger/seal/", {"q": term})
        return int(answer.context["cl"].result_count)

    assert (found("1"), found(head), found("2"), found("x"), found("9" * 30)) == (1, 1, 0, 0, 0)
    text = text_of(staff.get("/admin/ledger/seal/1/change/"))
    assert head.partition(":")[2] in text
    assert "leaves" not in text.lower()


@pytest.mark.parametrize("name", ["seal", "ledgercheck", "alert"])
def test_a_list_costs_the_same_however_long(
    staff: Client, name: str, django_assert_max_num_queries: Any
) -> None:
    for number in range(5):
        fund(make_account(), "1")
        seal()
        record_check(started_at=datetime.now(UTC), results=[result("balances")])
        raised(f"kind {number}", "One.")
    assert Seal.objects.count() == LedgerCheck.objects.count() == 5

    with django_assert_max_num_queries(7):
        assert staff.get(f"/admin/ledger/{name}/").status_code == 200
