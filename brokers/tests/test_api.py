"""Brokers, keys and accounts over HTTP: who may do what, and exact answers."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from brokers.models import ApiKey, Broker, TradingAccount, WebhookEndpoint
from brokers.services import suspend_broker
from brokers.services.keys import CreatedKey
from brokers.tests.factories import (
    AccountFactory,
    BrokerFactory,
    CreatedKeyFactory,
    RegisteredBrokerFactory,
)
from common.api.renderers import format_instant

pytestmark = pytest.mark.django_db

_VENUE = {"X-API-KEY": "tests-admin-key"}
_NOWHERE = "019c0000-0000-7000-8000-000000000000"


def _headers(created: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {created.secret}"}


def _post(client: Client, path: str, body: object, headers: dict[str, str]) -> Any:
    return client.post(f"/api/v1/{path}", body, content_type="application/json", headers=headers)


def _admin_key(**options: Any) -> CreatedKey:
    return CreatedKeyFactory.create(scopes=["read", "trade", "admin"], **options)


# --- who may call -----------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["Bearer", "Token", "X-API-KEY"])
def test_all_header_forms_work_everywhere(client: Client, form: str) -> None:
    secret = RegisteredBrokerFactory.create().secret
    headers = {form: secret} if form == "X-API-KEY" else {"Authorization": f"{form} {secret}"}
    for path in ("brokers/me", "api-keys", "accounts", "webhook-endpoints", "webhook-deliveries"):
        assert client.get(f"/api/v1/{path}", headers=headers).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"X-API-KEY": "x"}])
def test_without_a_right_key_the_answer_is_401(client: Client, headers: dict[str, str]) -> None:
    answer = client.get("/api/v1/brokers/me", headers={**headers, "X-Request-ID": "my-id-1"})
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"
    assert answer["X-Request-ID"] == "my-id-1"
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:bourse:problem:not_authenticated",
        "title": "The API key is missing, wrong, expired or revoked",
        "status": 401,
        "detail": "The API key is missing, wrong, expired or revoked",
        "code": "not_authenticated",
        "request_id": "my-id-1",
    }


def test_without_the_scope_the_answer_names_it(client: Client) -> None:
    created = CreatedKeyFactory.create(scopes=["read"])
    answer = _post(client, "accounts", {"document_number": "1"}, _headers(created))
    assert answer.status_code == 403
    assert answer.json()["code"] == "missing_scope"
    assert answer.json()["required_scope"] == "trade"
    assert not TradingAccount.objects.exists()


def test_a_method_that_there_is_not_is_405_whatever_the_scopes(client: Client) -> None:
    created = CreatedKeyFactory.create(scopes=["read"])
    answer = client.delete("/api/v1/api-keys", headers=_headers(created))
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert "POST" in answer["Allow"]


def test_the_venues_key_is_no_broker(client: Client) -> None:
    for path in ("brokers/me", "api-keys", "accounts"):
        assert client.get(f"/api/v1/{path}", headers=_VENUE).status_code == 403


def test_answers_tell_the_rate_limit(client: Client, settings: Any) -> None:
    settings.API_RATE_PER_SECOND = 2
    headers = _headers(RegisteredBrokerFactory.create())
    first, second, third = [client.get("/api/v1/brokers/me", headers=headers) for _ in range(3)]
    assert first["RateLimit-Policy"] == '"key";q=2;w=1'
    assert first["RateLimit"] == '"key";r=1;t=1'
    assert second["RateLimit"] == '"key";r=0;t=1'
    assert (third.status_code, third["Retry-After"]) == (429, "1")
    assert third.json()["code"] == "throttled"


def test_a_suspended_broker_reads_and_revokes_but_does_not_trade(client: Client) -> None:
    registered = RegisteredBrokerFactory.create()
    suspend_broker(broker=registered.broker)
    headers = _headers(registered)
    assert client.get("/api/v1/brokers/me", headers=headers).json()["status"] == "SUSPENDED"
    answer = _post(client, "accounts", {"document_number": "1"}, headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "broker_suspended")
    assert not TradingAccount.objects.exists()
    path = f"api-keys/{registered.api_key.id}/revoke"
    assert _post(client, path, {}, headers).status_code == 200
    assert client.get("/api/v1/brokers/me", headers=headers).status_code == 401


# --- brokers ----------------------------------------------------------------------------------


def test_the_venue_registers_a_broker(client: Client) -> None:
    body = {
        "name": "North Brokers",
        "webhook_url": "http://127.0.0.1:9/hook",
        "default_funding": "PREFUNDED",
        "default_credit_limit": 1000.50,
    }
    answer = _post(client, "brokers", body, _VENUE)
    assert answer.status_code == 201
    broker = Broker.objects.get()
    key = ApiKey.objects.get()
    document = answer.json()
    secret = document["api_key"].pop("key")
    assert document == {
        "id": str(broker.id),
        "name": "North Brokers",
        "status": "ACTIVE",
        "default_funding": "PREFUNDED",
        "default_credit_limit": "1000.5",
        "created_at": format_instant(broker.created_at),
        "api_key": {
            "id": str(key.id),
            "name": "first key",
            "prefix": secret[:12],
            "scopes": ["read", "trade", "transfer", "admin"],
            "account_id": None,
            "created_at": format_instant(key.created_at),
            "expires_at": None,
            "revoked_at": None,
            "last_used_at": None,
        },
    }
    assert WebhookEndpoint.objects.get().url == "http://127.0.0.1:9/hook"
    me = client.get("/api/v1/brokers/me", headers={"X-API-KEY": secret}).json()
    assert me["id"] == str(broker.id)
    assert me["key_id"] == str(key.id)


def test_only_the_venue_registers_brokers(client: Client) -> None:
    registered = RegisteredBrokerFactory.create()
    answer = _post(client, "brokers", {"name": "Mine"}, _headers(registered))
    assert (answer.status_code, answer.json()["required_scope"]) == (403, "venue_admin")
    assert Broker.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, [("name", "required")]),
        ({"name": ""}, [("name", "too_short")]),
        ({"name": "x" * 101}, [("name", "too_long")]),
        ({"name": "a\x00b"}, [("name", "invalid_characters")]),
        ({"name": 5}, [("name", "invalid_type")]),
        ({"name": "x", "nme": 1}, [("nme", "unknown_field")]),
        ({"name": "x", "webhook_url": "ftp://x"}, [("webhook_url", "webhook_url_refused")]),
        (
            {"default_funding": "CASH", "default_credit_limit": -1},
            [
                ("name", "required"),
                ("default_funding", "invalid_choice"),
                ("default_credit_limit", "too_small"),
            ],
        ),
        (
            {"name": "x", "default_credit_limit": "1e-9"},
            [("default_credit_limit", "too_many_decimals")],
        ),
    ],
)
def test_a_bad_registration_is_refused_whole(
    client: Client, body: dict[str, object], errors: list[tuple[str, str]]
) -> None:
    answer = _post(client, "brokers", body, _VENUE)
    assert answer.status_code == 422
    assert [(one["field"], one["code"]) for one in answer.json()["errors"]] == errors
    assert not Broker.objects.exists()


# --- keys -------------------------------------------------------------------------------------


def test_a_key_is_made_listed_and_revoked(client: Client) -> None:
    owner = _admin_key()
    headers = _headers(owner)
    body = {"name": "desk", "scopes": ["read", "read"], "expires_at": "2999-01-01T00:00:00+01:00"}
    made = _post(client, "api-keys", body, headers)
    assert made.status_code == 201
    document = made.json()
    assert document["scopes"] == ["read"]
    assert document["expires_at"] == "2998-12-31T23:00:00.000000Z"
    secret = document.pop("key")
    listed = client.get("/api/v1/api-keys", headers=headers).json()
    assert listed["results"][0] == document
    assert [one["id"] for one in listed["results"]][1] == str(owner.api_key.id)
    assert secret not in str(listed)
    own = {"X-API-KEY": secret}
    assert client.get("/api/v1/brokers/me", headers=own).status_code == 200
    assert client.delete(f"/api/v1/api-keys/{document['id']}", headers=headers).status_code == 204
    assert client.get("/api/v1/brokers/me", headers=own).status_code == 401


def test_a_key_cannot_give_what_it_does_not_have(client: Client) -> None:
    owner = _admin_key()
    answer = _post(client, "api-keys", {"scopes": ["read", "book"]}, _headers(owner))
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_not_held")
    strong = CreatedKeyFactory.create(broker=owner.api_key.broker, scopes=["read", "book", "marks"])
    path = f"api-keys/{strong.api_key.id}/rotate"
    assert _post(client, path, {}, _headers(owner)).status_code == 403
    assert ApiKey.objects.filter(revoked_at=None).count() == 3


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["all"]}, "scopes"),
        ({"scopes": "read"}, "scopes"),
        ({"expires_at": "2999-01-01T00:00:00"}, "expires_at"),
        ({"expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
        ({"account_id": "1"}, "account_id"),
        ({"account_id": 2**70}, "account_id"),
    ],
)
def test_a_bad_key_is_refused(client: Client, body: dict[str, object], field: str) -> None:
    owner = _admin_key()
    answer = _post(client, "api-keys", body, _headers(owner))
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["errors"]] == [field]
    assert ApiKey.objects.filter(broker=owner.api_key.broker).count() == 2


def test_keys_of_another_broker_are_not_there(client: Client) -> None:
    owner, other = _admin_key(), _admin_key()
    for action in ("revoke", "rotate"):
        path = f"api-keys/{other.api_key.id}/{action}"
        assert _post(client, path, {}, _headers(owner)).status_code == 404
    path = f"/api/v1/api-keys/{other.api_key.id}"
    assert client.delete(path, headers=_headers(owner)).status_code == 404
    assert client.get("/api/v1/brokers/me", headers=_headers(other)).status_code == 200


def test_rotation_answers_the_successor(client: Client) -> None:
    owner = _admin_key()
    answer = _post(client, f"api-keys/{owner.api_key.id}/rotate", {}, _headers(owner))
    assert answer.status_code == 201
    assert client.get("/api/v1/brokers/me", headers=_headers(owner)).status_code == 401
    successor = {"X-API-KEY": answer.json()["key"]}
    assert client.get("/api/v1/brokers/me", headers=successor).status_code == 200
    again = _post(client, f"api-keys/{owner.api_key.id}/rotate", {}, successor)
    assert (again.status_code, again.json()["code"]) == (409, "api_key_revoked")


def test_an_overlap_is_bounded(client: Client) -> None:
    owner = _admin_key()
    path = f"api-keys/{owner.api_key.id}/rotate"
    assert _post(client, path, {"overlap_seconds": 604_801}, _headers(owner)).status_code == 422
    assert _post(client, path, {"overlap_seconds": 60}, _headers(owner)).status_code == 201
    owner.api_key.refresh_from_db()
    assert owner.api_key.expires_at is not None
    assert owner.api_key.expires_at <= timezone.now() + timedelta(seconds=60)


# --- accounts ---------------------------------------------------------------------------------


def test_an_account_is_opened_once(client: Client) -> None:
    registered = RegisteredBrokerFactory.create(default_credit_limit=5)
    headers = _headers(registered)
    answer = _post(client, "accounts", {"document_number": "12345678901"}, headers)
    account = TradingAccount.objects.get()
    assert answer.status_code == 201
    assert answer.json() == {
        "id": account.id,
        "document_number": "12345678901",
        "funding": "CREDIT",
        "credit_limit": "5",
        "status": "ACTIVE",
        "is_sandbox": False,
        "created_at": format_instant(account.created_at),
    }
    again = _post(client, "accounts", {"document_number": "12345678901"}, headers)
    assert (again.status_code, again.json()["code"]) == (409, "account_exists")
    assert client.get(f"/api/v1/accounts/{account.id}", headers=headers).json() == answer.json()
    found = client.get("/api/v1/accounts?document_number=12345678901", headers=headers).json()
    assert found["results"] == [answer.json()]
    none = client.get("/api/v1/accounts?document_number=1", headers=headers).json()
    assert none == {"next": None, "previous": None, "results": []}


def test_two_brokers_may_have_the_same_client(client: Client) -> None:
    for registered in (RegisteredBrokerFactory.create(), RegisteredBrokerFactory.create()):
        answer = _post(client, "accounts", {"document_number": "1"}, _headers(registered))
        assert answer.status_code == 201


@pytest.mark.parametrize("document_number", ["", " ", "1" * 21, 12345, None, "a\nb", "\x00"])
def test_a_bad_document_number_is_refused(client: Client, document_number: object) -> None:
    headers = _headers(RegisteredBrokerFactory.create())
    answer = _post(client, "accounts", {"document_number": document_number}, headers)
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["errors"]] == ["document_number"]
    assert not TradingAccount.objects.exists()


def test_an_account_of_another_broker_is_403_and_none_is_404(client: Client) -> None:
    headers = _headers(RegisteredBrokerFactory.create())
    other = AccountFactory.create()
    answer = client.get(f"/api/v1/accounts/{other.id}", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "other_account")
    for missing in (0, other.id + 1000, 2**63, 10**400):
        answer = client.get(f"/api/v1/accounts/{missing}", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "account_not_found")
    assert client.get("/api/v1/accounts/abc", headers=headers).json()["code"] == "not_found"


def test_a_bound_key_sees_its_account_alone(client: Client) -> None:
    broker = BrokerFactory.create()
    own, other = AccountFactory.create(broker=broker), AccountFactory.create(broker=broker)
    bound = _admin_key(broker=broker, account_id=own.id)
    unbound = _admin_key(broker=broker)
    headers = _headers(bound)
    listed = client.get("/api/v1/accounts", headers=headers).json()["results"]
    assert [one["id"] for one in listed] == [own.id]
    assert client.get(f"/api/v1/accounts/{own.id}", headers=headers).status_code == 200
    assert client.get(f"/api/v1/accounts/{other.id}", headers=headers).status_code == 403
    assert _post(client, "accounts", {"document_number": "9"}, headers).status_code == 403
    for path in ("webhook-endpoints", "webhook-deliveries"):
        assert client.get(f"/api/v1/{path}", headers=headers).status_code == 403
    keys = client.get("/api/v1/api-keys", headers=headers).json()["results"]
    assert [one["id"] for one in keys] == [str(bound.api_key.id)]
    path = f"api-keys/{unbound.api_key.id}/revoke"
    assert _post(client, path, {}, headers).status_code == 404
    assert _post(client, "api-keys", {"account_id": other.id}, headers).status_code == 403
    assert _post(client, "api-keys", {}, headers).json()["account_id"] == own.id
    assert TradingAccount.objects.count() == 2


def test_a_key_cannot_be_bound_to_another_brokers_account(client: Client) -> None:
    owner, other = _admin_key(), AccountFactory.create()
    answer = _post(client, "api-keys", {"account_id": other.id}, _headers(owner))
    assert (answer.status_code, answer.json()["code"]) == (403, "other_account")


def test_pages_of_accounts(client: Client) -> None:
    registered = RegisteredBrokerFactory.create()
    ids = [AccountFactory.create(broker=registered.broker).id for _ in range(5)]
    headers = _headers(registered)
    first = client.get("/api/v1/accounts?page_size=2", headers=headers).json()
    assert [one["id"] for one in first["results"]] == [ids[4], ids[3]]
    assert first["previous"] is None
    second = client.get(first["next"], headers=headers).json()
    assert [one["id"] for one in second["results"]] == [ids[2], ids[1]]
    third = client.get(second["next"], headers=headers).json()
    assert [one["id"] for one in third["results"]] == [ids[0]]
    assert third["next"] is None
    back = client.get(third["previous"], headers=headers).json()
    assert [one["id"] for one in back["results"]] == [ids[2], ids[1]]
    assert client.get(back["previous"], headers=headers).json()["results"] == first["results"]


@pytest.mark.parametrize("query", ["cursor=x", "page_size=0", "page_size=1001", "page_size=1.0"])
def test_bad_paging_is_refused(client: Client, query: str) -> None:
    headers = _headers(RegisteredBrokerFactory.create())
    answer = client.get(f"/api/v1/accounts?{query}", headers=headers)
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["errors"]] == [query.split("=")[0]]
