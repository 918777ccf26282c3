"""Liquidations, margin calls and freezing in the back office."""

from decimal import Decimal as D
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from brokers.models import TradingAccount, User
from common.ids import new_uuid
from margin.models import FreezeChange, Liquidation, MarginAccount, MarginCall
from margin.services.freezing import freeze_margin_account
from margin.tests.factories import (
    make_asset,
    make_liquidation,
    make_margin_account,
    make_perpetual,
)

pytestmark = pytest.mark.django_db

_SEEN = ("liquidation", "liquidationstep", "margincall", "marginaccount", "freezechange")


def log_in(client: Client, *more: str) -> User:
    user = User.objects.create_user("staff@example.com", "password", is_staff=True)
    codenames = [*(f"view_{model}" for model in _SEEN), *more]
    user.user_permissions.set(
        Permission.objects.filter(content_type__app_label="margin", codename__in=codenames)
    )
    client.force_login(user)
    return user


@pytest.fixture
def account() -> TradingAccount:
    account = make_margin_account("100")
    make_liquidation(account, instrument=make_perpetual())
    MarginCall.objects.create(
        account=account,
        asset=make_asset("USDT"),
        level=D("0.8"),
        equity=D(600),
        maintenance_margin=D(500),
        raised_at=timezone.now(),
    )
    freeze_margin_account(account_id=account.id, asset="USDT", reason="Looked into", actor="test")
    return account


def page(client: Client, model: str, query: str = "") -> str:
    answer: Any = client.get(f"/admin/margin/{model}/{query}")
    assert answer.status_code == 200
    return str(answer.content.decode())


@pytest.mark.parametrize("model", [*(one for one in _SEEN if one != "liquidationstep")])
def test_lists_are_found_by_account_and_nothing_is_changed(
    client: Client, account: TradingAccount, model: str
) -> None:
    log_in(client)
    row = apps.get_model("margin", model)._default_manager.get()
    link = f"/admin/margin/{model}/{row.pk}/change/"

    assert link in page(client, model) and link in page(client, model, f"?q={account.id}")
    assert link not in page(client, model, f"?q={account.id + 1}")
    assert link not in page(client, model, "?q=nobody")
    assert client.get(f"/admin/margin/{model}/add/").status_code == 403


def test_a_liquidation_shows_its_steps(client: Client, account: TradingAccount) -> None:
    log_in(client)
    made = make_liquidation(account)

    text = page(client, "liquidation", f"{made.pk}/change/")

    assert "Taken over by the insurance fund" in text
    assert "New orders frozen" in text
    assert 'name="_save"' not in text


def test_open_calls_are_a_filter(client: Client, account: TradingAccount) -> None:
    log_in(client)
    link = f"/admin/margin/margincall/{MarginCall.objects.get().pk}/change/"

    assert link in page(client, "margincall", "?resolved_at__isempty=1")
    assert link not in page(client, "margincall", "?resolved_at__isempty=0")


def test_who_may_not_freeze_finds_no_button(client: Client, account: TradingAccount) -> None:
    log_in(client)
    row = MarginAccount.objects.get()

    assert "Un-freeze" not in page(client, "marginaccount", f"{row.pk}/change/")
    answer = client.post(f"/admin/margin/marginaccount/{row.pk}/unfreeze/", {"note": "Please"})
    assert answer.status_code == 403
    assert MarginAccount.objects.get().is_frozen


def test_an_officer_unfreezes_and_freezes_with_a_reason(
    client: Client, account: TradingAccount
) -> None:
    user, row = log_in(client, "change_marginaccount"), MarginAccount.objects.get()
    change, unfreeze = f"{row.pk}/change/", f"/admin/margin/marginaccount/{row.pk}/unfreeze/"
    assert "Un-freeze…" in page(client, "marginaccount", change)
    assert "Freeze…" not in page(client, "marginaccount", change)

    asked: Any = client.get(unfreeze)
    assert "Un-freeze this account?" in asked.content.decode()
    assert "Looked into" in asked.content.decode()
    client.post(unfreeze, {"note": ""})
    assert MarginAccount.objects.get().is_frozen

    answer: Any = client.post(unfreeze, {"note": "All is well"}, follow=True)

    assert "Un-frozen." in answer.content.decode()
    assert not MarginAccount.objects.get().is_frozen
    last = FreezeChange.objects.latest("id")
    assert (last.is_frozen, last.reason, last.actor) == (False, "All is well", f"user:{user.pk}")
    assert LogEntry.objects.filter(user=user, object_id=str(row.pk)).count() == 1
    # A second time, from a page that was open: told, and nothing is changed.
    again: Any = client.post(unfreeze, {"note": "All is well"}, follow=True)
    assert "The collateral is not frozen" in again.content.decode()
    assert FreezeChange.objects.count() == 2
    assert "Freeze…" in page(client, "marginaccount", change)


def test_steps_are_found_by_their_liquidation(client: Client, account: TradingAccount) -> None:
    log_in(client)
    liquidation = Liquidation.objects.get()
    step = liquidation.steps.order_by("number")[0]
    link = f"/admin/margin/liquidationstep/{step.pk}/change/"

    assert link in page(client, "liquidationstep", f"?q={liquidation.pk}")
    assert link not in page(client, "liquidationstep", f"?q={new_uuid()}")
    assert link not in page(client, "liquidationstep", "?q=nonsense")
