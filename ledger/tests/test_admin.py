"""The ledger in the back office: to look at, found by index, and never to change."""

from typing import Any

import pytest
from django.test import Client

from brokers.models import TradingAccount, User
from common.ids import new_uuid
from ledger.models import EntrySource, JournalEntry, LedgerAccount, Posting
from ledger.tests.factories import fund, make_account

pytestmark = pytest.mark.django_db

MODELS: dict[str, Any] = {
    "journalentry": JournalEntry,
    "ledgeraccount": LedgerAccount,
    "posting": Posting,
    "entrysource": EntrySource,
}


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("staff@example.com", "password"))
    return client


@pytest.fixture
def account() -> TradingAccount:
    account = make_account()
    for amount in ("10", "20", "40"):
        fund(account, amount)
    fund(account, "5", "ACME")
    return account


@pytest.mark.parametrize("name", MODELS)
def test_facts_are_shown_and_cannot_be_made_changed_or_deleted(
    staff: Client, account: TradingAccount, name: str
) -> None:
    row = MODELS[name].objects.first()
    assert row is not None
    base = f"/admin/ledger/{name}"

    assert staff.get(f"{base}/").status_code == 200
    assert staff.get(f"{base}/{row.pk}/change/").status_code == 200
    assert staff.get(f"{base}/add/").status_code == 403
    assert staff.post(f"{base}/{row.pk}/change/", {"memo": "x"}).status_code == 403
    assert staff.post(f"{base}/{row.pk}/delete/", {"post": "yes"}).status_code == 403


def test_an_entry_shows_its_postings_and_an_account_its_last_ones(
    staff: Client, account: TradingAccount
) -> None:
    entry = JournalEntry.objects.order_by("id").first()
    cash = LedgerAccount.objects.get(kind="CASH")
    assert entry is not None

    entry_page = staff.get(f"/admin/ledger/journalentry/{entry.pk}/change/").content.decode()
    account_page = staff.get(f"/admin/ledger/ledgeraccount/{cash.pk}/change/").content.decode()

    assert "-10.00000000" in entry_page
    assert "<td>40</td><td>70</td>" in account_page
    assert f"/admin/ledger/journalentry/{entry.pk}/change/" in account_page


def test_a_search_takes_whole_ids(staff: Client, account: TradingAccount) -> None:
    source = EntrySource.objects.order_by("id").last()
    assert source is not None

    def found(name: str, term: object) -> int:
        answer = staff.get(f"/admin/ledger/{name}/", {"q": str(term)})
        return int(answer.context["cl"].result_count)

    assert found("journalentry", source.entry_id) == 1
    assert found("journalentry", source.source_id) == 1
    assert found("journalentry", "no id") == 0
    assert found("ledgeraccount", account.id) == 2
    assert found("ledgeraccount", "acme") == 2
    assert found("posting", source.entry_id) == 2
    assert found("posting", account.id) == 4
    assert found("posting", new_uuid()) == 0
    assert found("posting", "9" * 30) == 0
    assert found("entrysource", source.source_id) == 1
    assert found("entrysource", "x") == 0


@pytest.mark.parametrize("name", MODELS)
def test_a_list_costs_the_same_however_long(
    staff: Client, account: TradingAccount, name: str, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(7):
        assert staff.get(f"/admin/ledger/{name}/").status_code == 200
