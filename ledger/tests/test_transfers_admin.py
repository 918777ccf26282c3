"""Transfers and wallets in the back office: looked at, found by full ids, suspended after a yes."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from brokers.models import User
from common.ids import new_uuid
from ledger.models import IdempotencyKey, LedgerAccount
from ledger.services.idempotency import purge_idempotency_keys
from ledger.tasks import expire_transfers
from ledger.tests.wallets import balances, make_wallet, pend, send

pytestmark = pytest.mark.django_db

WALLETS = "/admin/ledger/ledgeraccount/"


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("staff@example.com", "password"))
    return client


def test_transfers_and_keys_are_shown_and_never_changed(staff: Client) -> None:
    state = send(make_wallet("5"), make_wallet()).transfer
    assert state is not None
    key = IdempotencyKey.objects.create(owner="account:1", key="k", fingerprint="f", status=201)

    for base in (f"transfer/{state.id}", f"idempotencykey/{key.pk}"):
        name = base.split("/")[0]
        assert staff.get(f"/admin/ledger/{name}/").status_code == 200
        assert staff.get(f"/admin/ledger/{base}/change/").status_code == 200
        assert staff.get(f"/admin/ledger/{name}/add/").status_code == 403
        assert staff.post(f"/admin/ledger/{base}/change/", {"memo": "x"}).status_code == 403
        assert staff.post(f"/admin/ledger/{base}/delete/", {"post": "yes"}).status_code == 403


def test_a_search_takes_whole_ids(staff: Client) -> None:
    payer, payee = make_wallet("5"), make_wallet()
    state = send(payer, payee).transfer
    assert state is not None
    send(payee, payer)
    send(make_wallet("5"), payer)
    IdempotencyKey.objects.create(owner="account:1", key="a b", fingerprint="f", status=201)

    def found(name: str, term: object) -> int:
        answer = staff.get(f"/admin/ledger/{name}/", {"q": str(term)})
        return int(answer.context["cl"].result_count)

    assert found("transfer", state.id) == 1
    assert found("transfer", new_uuid()) == 0
    assert found("transfer", payee.id) == 2
    assert found("transfer", "9" * 30) == 0
    assert found("transfer", "x") == 0
    assert found("idempotencykey", "account:1") == 1
    assert found("idempotencykey", "account:1 a b") == 1
    assert found("idempotencykey", "account:1 c") == 0


def act(client: Client, action: str, *wallets: LedgerAccount, confirmed: bool = True) -> Any:
    data: dict[str, Any] = {"action": action, "_selected_action": [one.id for one in wallets]}
    return client.post(WALLETS, data | ({"confirmed": "yes"} if confirmed else {}), follow=True)


def statuses() -> list[str]:
    return list(LedgerAccount.objects.order_by("id").values_list("status", flat=True))


def test_wallets_are_suspended_and_activated_after_a_yes(staff: Client) -> None:
    wallets = make_wallet(), make_wallet()

    page = act(staff, "suspend_wallets", *wallets, confirmed=False)
    assert page.status_code == 200 and "Suspend these wallets?" in page.content.decode()
    assert statuses() == ["ACTIVE"] * 2
    act(staff, "suspend_wallets", *wallets)
    assert statuses() == ["SUSPENDED"] * 2
    again = act(staff, "suspend_wallets", wallets[0])
    assert "suspended or closed" in again.content.decode()
    assert (
        "Let these wallets"
        in act(staff, "activate_wallets", *wallets, confirmed=False).content.decode()
    )
    act(staff, "activate_wallets", *wallets)
    assert statuses() == ["ACTIVE"] * 2


def test_the_venues_accounts_are_no_wallets(staff: Client) -> None:
    make_wallet("5")
    transit = LedgerAccount.objects.get(kind="TRANSIT")

    answer = act(staff, "suspend_wallets", transit)

    assert "no such wallet" in answer.content.decode()
    assert statuses() == ["ACTIVE"] * 2


def test_who_may_only_look_suspends_nothing(client: Client) -> None:
    wallet = make_wallet()
    user = User.objects.create_user("looker@example.com", "password", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_ledgeraccount"))
    client.force_login(user)

    assert client.get(WALLETS).status_code == 200
    act(client, "suspend_wallets", wallet)

    assert statuses() == ["ACTIVE"]


def test_the_clocks_tasks_sweep_and_purge() -> None:
    payer, payee = make_wallet("5"), make_wallet()
    pend(payer, payee, "5", is_due=True)

    assert (expire_transfers(), purge_idempotency_keys()) == (1, 0)
    assert balances(payer) == [(5, 0)]
