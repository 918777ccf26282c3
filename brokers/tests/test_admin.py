"""The back office: pages open, secrets are shown once, corrections go through services."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.urls import reverse

from brokers.bulk import WebhookEvent, queue_webhook_events
from brokers.models import (
    ApiKey,
    Broker,
    Membership,
    TradingAccount,
    User,
    WebhookDelivery,
    WebhookEndpoint,
)
from brokers.services import approve_api_key, authenticate_key, close_user, suspend_user
from brokers.tests.factories import (
    AccountFactory,
    BrokerFactory,
    CreatedKeyFactory,
    UserFactory,
    WebhookEndpointFactory,
)
from common.errors import NotAuthenticated
from oversight.admin.guarded import CONFIRMED, REASON
from oversight.models import ChangeRequest
from oversight.services.changes import approve_change

pytestmark = pytest.mark.django_db

_MODELS = ("user", "broker", "membership", "tradingaccount", "apikey", "webhookendpoint")


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("staff@example.test", "a-long-test-password"))
    return client


def _url(model: str, page: str, *arguments: object) -> str:
    return reverse(f"admin:brokers_{model}_{page}", args=arguments)


def _messages(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def _act(staff: Client, model: str, action: str, row: Any, **extra: str) -> Any:
    data = {"action": action, "_selected_action": str(row.pk), **extra}
    return staff.post(_url(model, "changelist"), data, follow=True)


@pytest.fixture
def rows() -> dict[str, Any]:
    account = AccountFactory.create()
    user = UserFactory.create()
    endpoint = WebhookEndpointFactory.create(broker=account.broker)
    with connection.cursor() as cursor:
        moment = datetime(2026, 2, 18, 10, tzinfo=UTC)
        queue_webhook_events(
            cursor, [WebhookEvent(account.broker_id.bytes, "trade_executed", "{}", moment)]
        )
    return {
        "user": user,
        "broker": account.broker,
        "membership": Membership.objects.create(user=user, broker=account.broker, role="OWNER"),
        "tradingaccount": account,
        "apikey": CreatedKeyFactory.create(broker=account.broker, account_id=account.id).api_key,
        "webhookendpoint": endpoint,
        "webhookdelivery": WebhookDelivery.objects.get(),
    }


@pytest.mark.parametrize("model", [*_MODELS, "webhookdelivery"])
def test_every_page_opens(staff: Client, rows: dict[str, Any], model: str) -> None:
    assert staff.get(_url(model, "changelist")).status_code == 200
    assert staff.get(_url(model, "changelist"), {"q": "x"}).status_code == 200
    assert staff.get(_url(model, "change", rows[model].pk)).status_code == 200
    expected = 403 if model == "webhookdelivery" else 200
    assert staff.get(_url(model, "add")).status_code == expected


@pytest.mark.parametrize("model", [*_MODELS, "webhookdelivery"])
def test_lists_cost_the_same_however_many_rows(
    staff: Client, rows: dict[str, Any], model: str, django_assert_max_num_queries: Any
) -> None:
    for _ in range(5):
        AccountFactory.create()
        CreatedKeyFactory.create()
        WebhookEndpointFactory.create()
    with django_assert_max_num_queries(12):
        staff.get(_url(model, "changelist"))


def test_a_person_logs_in_with_an_email_address(client: Client) -> None:
    User.objects.create_superuser("staff@example.test", "a-long-test-password")
    data = {"username": "Staff@Example.test", "password": "a-long-test-password"}
    assert client.post(reverse("admin:login"), data).status_code == 302
    assert client.get(reverse("admin:index")).status_code == 200


def test_a_user_is_added_and_gets_another_password(staff: Client) -> None:
    data = {"email": "new@example.test", "password1": "tr1cky-words", "password2": "tr1cky-words"}
    staff.post(_url("user", "add"), data)
    user = User.objects.get(email="new@example.test")
    assert user.check_password("tr1cky-words")
    data = {"password1": "other-words-9", "password2": "other-words-9"}
    staff.post(reverse("admin:auth_user_password_change", args=[user.pk]), data)
    user.refresh_from_db()
    assert user.check_password("other-words-9")


def _status(user: User) -> str:
    user.refresh_from_db()
    return user.status


@pytest.mark.parametrize(
    ("action", "question", "status"),
    [
        ("suspend", "Suspend these people?", "SUSPENDED"),
        ("close", "Close these logins for good?", "CLOSED"),
    ],
)
def test_a_person_is_shut_out_after_a_question(
    staff: Client, action: str, question: str, status: str
) -> None:
    user = UserFactory.create()
    page = _act(staff, "user", action, user)
    assert question in page.content.decode()
    assert _status(user) == "ACTIVE"
    _act(staff, "user", action, user, confirmed="yes")
    assert _status(user) == status
    assert LogEntry.objects.get().object_id == str(user.pk)


def test_a_suspended_person_is_activated_and_a_closed_one_is_not(staff: Client) -> None:
    user, closed = UserFactory.create(), UserFactory.create()
    suspend_user(user=user)
    close_user(user=closed)
    _act(staff, "user", "activate", user)
    assert _status(user) == "ACTIVE"
    answer = _act(staff, "user", "activate", closed)
    assert any("closed" in text for text in _messages(answer))
    assert _status(closed) == "CLOSED"


def test_people_are_filtered_by_status(staff: Client) -> None:
    user = UserFactory.create()
    suspend_user(user=user)
    page = staff.get(_url("user", "changelist"), {"status__exact": "SUSPENDED"})
    assert list(page.context["cl"].result_list) == [user]
    page = staff.get(_url("user", "changelist"), {"email_verified_at__isempty": "1"})
    assert user in page.context["cl"].result_list


def test_suspended_staff_is_logged_out_and_kept_out(client: Client) -> None:
    user = User.objects.create_superuser("staff@example.test", "a-long-test-password")
    client.force_login(user)
    assert client.get(reverse("admin:index")).status_code == 200
    suspend_user(user=user)
    assert client.get(reverse("admin:index")).status_code == 302
    data = {"username": user.email, "password": "a-long-test-password"}
    assert client.post(reverse("admin:login"), data).status_code == 200  # the form again
    assert client.get(reverse("admin:index")).status_code == 302


def test_another_address_is_not_verified(staff: Client) -> None:
    user = UserFactory.create()
    User.objects.filter(pk=user.pk).update(email_verified_at=user.created_at)
    url = _url("user", "change", user.pk)
    staff.post(url, {"email": user.email, "full_name": "Ada", "status": "CLOSED"})
    user.refresh_from_db()
    assert (user.full_name, user.status, user.email_verified_at) == (
        "Ada",
        "ACTIVE",
        user.created_at,
    )
    staff.post(url, {"email": "other@example.test", "full_name": "Ada"})
    user.refresh_from_db()
    assert (user.email, user.email_verified_at) == ("other@example.test", None)


@pytest.mark.parametrize("model", ["outstandingtoken", "blacklistedtoken"])
def test_tokens_have_no_page(staff: Client, model: str) -> None:
    assert staff.get(f"/admin/token_blacklist/{model}/").status_code == 404


def test_a_broker_is_registered_with_a_key_that_works(staff: Client) -> None:
    data = {"name": "North", "default_funding": "CREDIT"}
    answer = staff.post(_url("broker", "add"), data, follow=True)
    broker = Broker.objects.get()
    (secret,) = [text.split()[-1] for text in _messages(answer) if "shown this once" in text]
    assert authenticate_key(secret).broker_id == broker.id
    assert LogEntry.objects.get().object_id == str(broker.id)
    again = staff.get(_url("broker", "change", broker.pk))
    assert secret not in again.content.decode()


def test_a_broker_is_suspended_and_activated(
    staff: Client, django_capture_on_commit_callbacks: Any
) -> None:
    created = CreatedKeyFactory.create()
    broker = created.api_key.broker
    page = _act(staff, "broker", "suspend", broker)
    assert "All that they have open is canceled" in page.content.decode()
    assert not authenticate_key(created.secret).is_broker_suspended
    with django_capture_on_commit_callbacks(execute=True):
        _act(staff, "broker", "suspend", broker, confirmed="yes")
    assert authenticate_key(created.secret).is_broker_suspended
    assert LogEntry.objects.get().get_change_message() == "Suspended."
    with django_capture_on_commit_callbacks(execute=True):
        _act(staff, "broker", "activate", broker)
    assert not authenticate_key(created.secret).is_broker_suspended


def test_an_account_is_opened_suspended_and_activated(staff: Client) -> None:
    broker = BrokerFactory.create()
    data = {
        "broker": broker.pk,
        "document_number": "77",
        "funding": "PREFUNDED",
        CONFIRMED: "yes",
        REASON: "a new client",
    }
    staff.post(_url("tradingaccount", "add"), data)
    checker = User.objects.create_superuser("checker@example.com", "password")
    approve_change(request_id=ChangeRequest.objects.get().pk, user_id=checker.pk)
    account = TradingAccount.objects.get()
    assert (account.broker_id, account.funding, account.status) == (
        broker.id,
        "PREFUNDED",
        "ACTIVE",
    )
    _act(staff, "tradingaccount", "suspend", account, confirmed="yes")
    account.refresh_from_db()
    assert account.status == "SUSPENDED"
    answer = staff.post(_url("tradingaccount", "add"), data, follow=True)
    assert TradingAccount.objects.count() == 1
    assert answer.status_code == 200


def test_a_closed_account_stays_closed(staff: Client) -> None:
    account = AccountFactory.create()
    TradingAccount.objects.update(status="CLOSED")
    answer = _act(staff, "tradingaccount", "activate", account)
    assert any("closed" in text for text in _messages(answer))
    account.refresh_from_db()
    assert account.status == "CLOSED"
    assert not LogEntry.objects.exists()


def test_a_key_is_added_shown_once_and_works_when_approved(
    staff: Client, django_capture_on_commit_callbacks: Any
) -> None:
    broker = BrokerFactory.create()
    data = {"broker": broker.pk, "name": "marks feed", "scopes": ["read", "marks"]}
    answer = staff.post(_url("apikey", "add"), data, follow=True)
    (secret,) = [text.split()[-1] for text in _messages(answer) if "shown this once" in text]
    with pytest.raises(NotAuthenticated):
        authenticate_key(secret)
    key = ApiKey.objects.get(name="marks feed")
    second = User.objects.create_superuser("second@example.test", "a-long-test-password")
    with django_capture_on_commit_callbacks(execute=True):
        approve_api_key(api_key=key, user=second)
    assert authenticate_key(secret).scopes == {"read", "marks"}
    page = staff.get(_url("apikey", "change", key.pk)).content.decode()
    assert secret not in page
    assert key.key_hash not in page


def test_a_key_cannot_be_bound_to_another_brokers_account(staff: Client) -> None:
    data = {
        "broker": BrokerFactory.create().pk,
        "account": AccountFactory.create().pk,
        "scopes": ["read"],
    }
    before = ApiKey.objects.count()
    answer = staff.post(_url("apikey", "add"), data)
    assert "belongs to another broker" in answer.content.decode()
    assert ApiKey.objects.count() == before


def test_a_key_is_revoked_after_a_question(staff: Client) -> None:
    created = CreatedKeyFactory.create()
    page = _act(staff, "apikey", "revoke", created.api_key)
    assert "Revoke these keys for good?" in page.content.decode()
    assert authenticate_key(created.secret)
    _act(staff, "apikey", "revoke", created.api_key, confirmed="yes")
    with pytest.raises(NotAuthenticated):
        authenticate_key(created.secret)


def test_a_key_is_neither_changed_nor_deleted(staff: Client) -> None:
    key = CreatedKeyFactory.create().api_key
    answer = staff.post(_url("apikey", "change", key.pk), {"name": "other"})
    assert answer.status_code == 403
    assert staff.post(_url("apikey", "delete", key.pk), {"post": "yes"}).status_code == 403
    key.refresh_from_db()
    assert key.name == ""


def test_an_endpoint_is_checked_and_switched_off(staff: Client, settings: Any) -> None:
    broker = BrokerFactory.create()
    settings.WEBHOOK_ALLOW_PRIVATE = False
    data = {"broker": broker.pk, "url": "http://127.0.0.1/hook", "payload_format": "DECIMAL"}
    assert "private network" in staff.post(_url("webhookendpoint", "add"), data).content.decode()
    staff.post(_url("webhookendpoint", "add"), {**data, "url": "https://north.example/hook"})
    endpoint = WebhookEndpoint.objects.get()
    with connection.cursor() as cursor:
        moment = datetime(2026, 2, 18, 10, tzinfo=UTC)
        queue_webhook_events(
            cursor, [WebhookEvent(broker.id.bytes, "trade_executed", "{}", moment)]
        )
    kept = {"url": endpoint.url, "payload_format": "DECIMAL"}
    staff.post(_url("webhookendpoint", "change", endpoint.pk), kept)
    endpoint.refresh_from_db()
    assert not endpoint.is_active
    assert WebhookDelivery.objects.get().due_at is None


def test_a_delivery_is_sent_again(staff: Client, rows: dict[str, Any]) -> None:
    delivery = rows["webhookdelivery"]
    WebhookDelivery.objects.update(due_at=None, attempts=12, last_error="HTTP 500")
    _act(staff, "webhookdelivery", "deliver_again", delivery)
    delivery.refresh_from_db()
    assert (delivery.attempts, delivery.last_error) == (0, "")
    assert delivery.due_at is not None


@pytest.mark.parametrize("status", ["delivered", "pending", "failed"])
def test_deliveries_are_filtered(staff: Client, rows: dict[str, Any], status: str) -> None:
    page = staff.get(_url("webhookdelivery", "changelist"), {"status": status})
    shown = list(page.context["cl"].result_list)
    assert shown == ([rows["webhookdelivery"]] if status == "pending" else [])


def test_staff_that_may_only_look_cannot_act(client: Client) -> None:
    viewer = UserFactory.create()
    viewer.is_staff = True
    viewer.save()
    viewer.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client.force_login(viewer)
    created = CreatedKeyFactory.create()
    assert client.get(_url("apikey", "changelist")).status_code == 200
    _act(client, "apikey", "revoke", created.api_key, confirmed="yes")
    _act(client, "broker", "suspend", created.api_key.broker, confirmed="yes")
    assert client.get(_url("broker", "add")).status_code == 403
    assert not authenticate_key(created.secret).is_broker_suspended
    assert Broker.objects.get().status == "ACTIVE"
