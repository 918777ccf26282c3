"""The queue of requests in the back office: who sees what, decides, asks, and is refused."""

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client

from brokers.models import TradingAccount, User
from brokers.tests.factories import UserFactory
from common.ids import new_uuid
from ledger.models import Approval, ConversionRate, JournalEntry, LedgerAccount, MoneyRequest
from ledger.services import (
    approve_request,
    convert,
    quote_conversion,
    request_adjustment,
    request_deposit,
    request_reversal,
    request_withdrawal,
)
from ledger.tests.factories import (
    balance_of,
    fund,
    make_account,
    make_rate,
    pay_out,
    wallet_of,
)
from oversight.admin.guarded import CONFIRMED, REASON
from oversight.models import ChangeRequest
from oversight.services.changes import approve_change

pytestmark = pytest.mark.django_db

QUEUE = "/admin/ledger/moneyrequest/"


@pytest.fixture
def staff() -> User:
    return User.objects.create_superuser("staff@example.com", "password")


@pytest.fixture
def office(client: Client, staff: User) -> Client:
    """The back office, as `staff` sees it."""
    client.force_login(staff)
    return client


@pytest.fixture
def account() -> TradingAccount:
    account = make_account()
    fund(account, "100")
    return account


def ask(account: TradingAccount, amount: str = "60", user: User | None = None) -> MoneyRequest:
    return request_withdrawal(
        wallet_id=wallet_of(account).id,
        amount=Decimal(amount),
        reason="IBAN 1",
        actor="key:7",
        user_id=None if user is None else user.pk,
    )


def page_of(row: MoneyRequest, button: str = "change") -> str:
    return f"{QUEUE}{row.pk}/{button}/"


def told(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def press(office: Client, row: MoneyRequest, button: str, note: str = "seen") -> Any:
    return office.post(page_of(row, button), {"note": note}, follow=True)


def test_the_queue_shows_what_waits_and_all_when_asked(
    office: Client, account: TradingAccount
) -> None:
    asker = UserFactory.create()
    waiting = ask(account, "12.5", asker)
    approve_request(request_id=ask(account, "33").pk, user_id=UserFactory.create().id)

    queue = office.get(QUEUE)
    everything = office.get(QUEUE, {"state": "all"})

    text = queue.content.decode()
    assert [row.pk for row in queue.context["cl"].result_list] == [waiting.pk]
    for shown in (
        "12.5 USD",
        str(asker)[:20],
        "0 of 1",
        "IBAN 1",
        f"{account.id} ({account.document_number})",
    ):
        assert shown in text
    assert len(everything.context["cl"].result_list) == 2


def test_the_queue_costs_the_same_however_long(
    office: Client, account: TradingAccount, django_assert_max_num_queries: Any
) -> None:
    for amount in ("1", "2", "3", "4"):
        ask(account, amount)
    entry = fund(account, "5")
    request_reversal(entry_id=entry.id, reason="r", actor="test", user_id=UserFactory.create().id)

    for state in ({}, {"state": "all"}):
        with django_assert_max_num_queries(8):
            assert office.get(QUEUE, state).status_code == 200


def test_a_search_takes_whole_ids(office: Client, account: TradingAccount) -> None:
    row = ask(account)

    def found(term: object) -> int:
        return int(office.get(QUEUE, {"q": str(term)}).context["cl"].result_count)

    assert (found(row.pk), found(account.id)) == (1, 1)
    assert (found(new_uuid()), found("x"), found("9" * 30)) == (0, 0, 0)


def test_requests_are_not_made_changed_or_deleted_by_hand(
    office: Client, account: TradingAccount
) -> None:
    row = ask(account)

    assert office.get(f"{QUEUE}add/").status_code == 403
    assert office.post(page_of(row), {"amount": "1"}).status_code == 403
    assert office.post(f"{QUEUE}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert MoneyRequest.objects.get().amount == 60


def test_a_confirmation_shows_balances_before_and_after(
    office: Client, account: TradingAccount
) -> None:
    row = ask(account, "60")

    answer = office.get(page_of(row, "approve"))

    assert answer.status_code == 200
    [change] = answer.context["changes"]
    assert change == {
        "account": f"Account {account.id} ({account.document_number}), cash, USD",
        "amount": "-60",
        "posted": "100",
        "posted_after": "40",
        "available": "40",
        "available_after": "40",
        "is_too_little": False,
    }
    assert "Approve the withdrawal" in answer.content.decode()
    assert (MoneyRequest.objects.get().status, Approval.objects.count()) == ("REQUESTED", 0)


def test_a_button_and_a_note_approve(office: Client, staff: User, account: TradingAccount) -> None:
    row = ask(account)
    buttons = office.get(page_of(row)).content.decode()
    assert "Approve…" in buttons and "Reject…" in buttons and "Take back…" not in buttons

    answer = press(office, row, "approve", "seen at the bank")

    assert told(answer) == ["Withdrawal completed."]
    assert answer.redirect_chain == [(QUEUE, 302)]
    assert (balance_of(account), wallet_of(account).held_amount) == (40, 0)
    approval = Approval.objects.get()
    assert (approval.user, approval.note) == (staff, "seen at the bank")
    assert LogEntry.objects.get().get_change_message() == "Approve: Withdrawal completed."
    closed = office.get(page_of(row)).content.decode()
    assert "Approve…" not in closed and "seen at the bank" in closed
    assert told(press(office, row, "approve")) == [
        "The request is closed: completed, rejected, canceled or failed (request status COMPLETED)"
    ]


def test_a_rejection_asks_why(office: Client, account: TradingAccount) -> None:
    row = ask(account)

    without = office.post(page_of(row, "reject"), {"note": " "})
    assert without.context["form"].errors == {"note": ["This field is required."]}
    assert wallet_of(account).held_amount == 60
    answer = press(office, row, "reject", "unknown bank")

    assert told(answer) == ["Withdrawal rejected."]
    assert MoneyRequest.objects.get().status_reason == "unknown bank"
    assert wallet_of(account).held_amount == 0


def test_two_persons_are_told_of_each_other(
    office: Client, account: TradingAccount, settings: Any
) -> None:
    settings.WITHDRAWAL_TWO_PERSONS_ABOVE = Decimal(50)
    row = ask(account)
    assert "one more person has to approve" in office.get(page_of(row, "approve")).content.decode()

    assert told(press(office, row, "approve")) == [
        "Withdrawal approved; one more person has to approve it."
    ]
    assert told(press(office, row, "approve")) == [
        "This person has approved the request already; it needs another one"
    ]
    assert balance_of(account) == 100
    office.force_login(User.objects.create_superuser("second@example.com", "password"))
    assert "1 of 2" in office.get(page_of(row)).content.decode()
    assert told(press(office, row, "approve")) == ["Withdrawal completed."]
    assert balance_of(account) == 40


def test_a_note_with_turned_letters_is_refused_as_the_api_does(
    office: Client, account: TradingAccount
) -> None:
    row = ask(account)

    assert told(press(office, row, "approve", "seen \u202eat the bank")) == [
        "Some fields are not valid: Control characters are not allowed."
    ]

    assert (MoneyRequest.objects.get().status, Approval.objects.count()) == ("REQUESTED", 0)


def test_who_decides_sees_what_left_the_wallet_within_a_day(
    office: Client, account: TradingAccount, settings: Any
) -> None:
    settings.WITHDRAWAL_TWO_PERSONS_ABOVE = Decimal(60)
    first, second = ask(account), ask(account, amount="0.01")
    warning = "one more person has to approve"
    assert warning not in office.get(page_of(second, "approve")).content.decode()

    assert told(press(office, first, "approve")) == ["Withdrawal completed."]

    assert warning in office.get(page_of(second, "approve")).content.decode()
    assert told(press(office, second, "approve")) == [
        "Withdrawal approved; one more person has to approve it."
    ]


def test_own_requests_are_taken_back_but_not_decided(
    office: Client, staff: User, account: TradingAccount
) -> None:
    row = ask(account, user=staff)
    page = office.get(page_of(row)).content.decode()
    assert "Take back…" in page and "Approve…" not in page
    assert "another person has to decide" in office.get(page_of(row, "approve")).content.decode()

    for button in ("approve", "reject"):
        assert told(press(office, row, button)) == [
            "Nobody decides on a request of their own, nor on their own money"
        ]
    assert (MoneyRequest.objects.get().status, wallet_of(account).held_amount) == ("REQUESTED", 60)

    assert told(press(office, row, "take-back")) == ["Withdrawal canceled."]
    assert wallet_of(account).held_amount == 0


def test_nobody_takes_back_what_another_asked_for(office: Client, account: TradingAccount) -> None:
    row = ask(account)

    assert office.post(page_of(row, "take-back")).status_code == 403

    assert MoneyRequest.objects.get().status == "REQUESTED"


def test_deciding_needs_its_permission(client: Client, account: TradingAccount) -> None:
    row = ask(account)
    clerk = UserFactory.create()
    clerk.is_staff = True
    clerk.save()
    clerk.user_permissions.add(Permission.objects.get(codename="view_moneyrequest"))
    client.force_login(clerk)

    assert "Approve…" not in client.get(page_of(row)).content.decode()
    for button in ("approve", "reject"):
        assert client.post(page_of(row, button), {"note": "x"}).status_code == 403
    assert (MoneyRequest.objects.get().status, Approval.objects.count()) == ("REQUESTED", 0)

    clerk.user_permissions.add(Permission.objects.get(codename="add_approval"))
    assert told(press(client, row, "approve")) == ["Withdrawal completed."]


def test_refusals_and_failures_are_told_in_full(office: Client, account: TradingAccount) -> None:
    lowered = request_adjustment(
        ledger_account_id=wallet_of(account).id,
        amount=Decimal(-80),
        reason="counted again",
        actor="test",
        user_id=UserFactory.create().id,
    )
    pay_out(account, "50")
    assert "Not enough available" in office.get(page_of(lowered, "approve")).content.decode()
    paid_in = request_deposit(
        wallet_id=wallet_of(account).id, amount=Decimal(1), reason="r", actor="test"
    )

    assert told(press(office, lowered, "approve")) == [
        "There is not enough available on the account (required 80, available 50)"
    ]
    TradingAccount.objects.update(status="CLOSED")
    assert told(press(office, paid_in, "approve")) == [
        "Deposit failed for good: the account is closed."
    ]

    assert balance_of(account) == 50
    assert MoneyRequest.objects.get(pk=lowered.pk).status == "REQUESTED"


def test_an_adjustment_is_asked_for_on_the_accounts_page(
    office: Client, staff: User, account: TradingAccount
) -> None:
    wallet = wallet_of(account)
    page = f"/admin/ledger/ledgeraccount/{wallet.pk}"
    assert "Ask for an adjustment…" in office.get(f"{page}/change/").content.decode()
    assert office.get(f"{page}/ask-for-adjustment/").status_code == 200

    def send(amount: str, note: str) -> Any:
        given = {"amount": amount, "note": note}
        return office.post(f"{page}/ask-for-adjustment/", given, follow=True)

    assert set(send("x", "").context["form"].errors) == {"amount", "note"}
    for amount in ("1e5", "٣", "NaN", "1_000", ""):
        assert set(send(amount, "why").context["form"].errors) == {"amount"}
    assert told(send("0.00001", "why")) == [
        "Some fields are not valid: 0.00001 has more than 4 decimals."
    ]
    assert not MoneyRequest.objects.exists()
    answer = send("-12.5", "counted again")

    row = MoneyRequest.objects.get()
    assert (row.kind, row.amount, row.reason, row.requested_by, row.status) == (
        "ADJUSTMENT", Decimal("-12.5"), "counted again", staff, "REQUESTED",
    )  # fmt: skip
    assert told(answer) == ["Asked for. Another person has to approve it."]
    assert balance_of(account) == 100


def test_a_reversal_is_asked_for_on_the_entrys_page(
    office: Client, staff: User, account: TradingAccount
) -> None:
    entry = fund(account, "40")
    page = f"/admin/ledger/journalentry/{entry.id}"
    assert "Ask for a reversal…" in office.get(f"{page}/change/").content.decode()
    changes = office.get(f"{page}/ask-for-reversal/").context["changes"]
    assert [(one["amount"], one["posted_after"]) for one in changes] == [
        ("-40", "100"),
        ("+40", "-100"),
    ]

    answer = office.post(f"{page}/ask-for-reversal/", {"note": "booked twice"}, follow=True)

    row = MoneyRequest.objects.get()
    assert (row.kind, row.reversed_entry_id, row.reason, row.requested_by) == (
        "REVERSAL", entry.id, "booked twice", staff,
    )  # fmt: skip
    assert told(answer) == ["Asked for. Another person has to approve it."]
    again = office.post(f"{page}/ask-for-reversal/", {"note": "booked twice"}, follow=True)
    assert told(again)[0].startswith("A reversal of the entry has been asked for")
    assert balance_of(account) == 140

    office.force_login(User.objects.create_superuser("second@example.com", "password"))
    assert told(press(office, row, "approve")) == ["Reversal completed."]
    assert balance_of(account) == 100
    reversal = JournalEntry.objects.get(kind="REVERSAL")
    shown = office.get(f"/admin/ledger/journalentry/{reversal.pk}/change/").content.decode()
    assert "Ask for a reversal…" not in shown


def test_what_is_not_adjusted_has_no_button_and_what_is_not_there_no_page(
    office: Client, account: TradingAccount
) -> None:
    transit = LedgerAccount.objects.get(kind="TRANSIT")

    shown = office.get(f"/admin/ledger/ledgeraccount/{transit.pk}/change/").content.decode()

    assert "Ask for an adjustment…" not in shown
    assert office.get("/admin/ledger/ledgeraccount/99999/ask-for-adjustment/").status_code == 404
    assert (
        office.get(f"/admin/ledger/journalentry/{new_uuid()}/ask-for-reversal/").status_code == 404
    )
    assert office.get(f"{QUEUE}{new_uuid()}/approve/").status_code == 404
    assert office.get(f"{QUEUE}x/approve/").status_code == 404


def test_asking_needs_its_permission(client: Client, account: TradingAccount) -> None:
    clerk = UserFactory.create()
    clerk.is_staff = True
    clerk.save()
    for codename in ("view_ledgeraccount", "view_journalentry"):
        clerk.user_permissions.add(Permission.objects.get(codename=codename))
    client.force_login(clerk)
    entry = fund(account, "40")
    pages = (
        f"/admin/ledger/ledgeraccount/{wallet_of(account).pk}/ask-for-adjustment/",
        f"/admin/ledger/journalentry/{entry.id}/ask-for-reversal/",
    )

    for page in pages:
        assert client.post(page, {"amount": "1", "note": "x"}).status_code == 403

    assert not MoneyRequest.objects.exists()


def test_rates_are_set_by_hand_and_checked(office: Client) -> None:
    eur_usd = make_rate("EUR", "USD", "1.25", "0.01")
    pages = "/admin/ledger/conversionrate/"

    def send(path: str, **given: object) -> Any:
        body = {"spread_rate": "0", "is_active": "on", CONFIRMED: "yes", REASON: "x", **given}
        return office.post(f"{pages}{path}", body, follow=True)

    listed = office.get(pages).content.decode()
    assert "1.2375 USD for a EUR" in listed and "0.792 EUR for a USD" in listed
    inverse = send("add/", base=eur_usd.quote_id, quote=eur_usd.base_id, rate="0.8")
    assert told(inverse) == ["The pair has a rate already, this way or the other way round"]
    send(f"{eur_usd.pk}/change/", rate="-1")
    assert ConversionRate.objects.get().rate == Decimal("1.25")
    send(f"{eur_usd.pk}/change/", rate="1.5", base=eur_usd.quote_id)
    assert ConversionRate.objects.get().rate == Decimal("1.25")
    checker = User.objects.create_superuser("checker@example.com", "password")
    approve_change(request_id=ChangeRequest.objects.get().pk, user_id=checker.pk)
    stored = ConversionRate.objects.get()
    assert (stored.rate, stored.spread_rate, stored.base) == (Decimal("1.5"), 0, eur_usd.base)
    assert office.post(f"{pages}{eur_usd.pk}/delete/", {"post": "yes"}).status_code == 403


def test_quotes_are_shown_and_found(
    office: Client, account: TradingAccount, django_assert_max_num_queries: Any
) -> None:
    make_rate("EUR", "USD", "1.25")
    quotes = [
        quote_conversion(
            from_wallet_id=wallet_of(account).id, to_currency="EUR", sell_amount=Decimal(amount)
        )
        for amount in (10, 20)
    ]
    convert(quote_id=quotes[0].id, actor="test")
    pages = "/admin/ledger/conversionquote/"

    def found(term: object) -> int:
        return int(office.get(pages, {"q": str(term)}).context["cl"].result_count)

    with django_assert_max_num_queries(7):
        listed = office.get(pages).content.decode()
    assert "10 USD" in listed and "8 EUR" in listed and "16 EUR" in listed
    assert (found(quotes[1].id), found(account.id), found("x"), found(new_uuid())) == (1, 2, 0, 0)
    assert office.get(f"{pages}{quotes[0].id}/change/").status_code == 200
    assert office.post(f"{pages}{quotes[0].id}/change/", {"rate": "9"}).status_code == 403
