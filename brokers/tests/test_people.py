"""People register, are suspended and closed; what they may do with keys and accounts."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.hashers import check_password, make_password
from django.db import IntegrityError, connections
from django.test import Client

from brokers.errors import EmailTaken, InvalidToken, UserClosed, UserSuspended, WrongCredentials
from brokers.models import ApiKey, Broker, TradingAccount, User
from brokers.services import (
    activate_user,
    authenticate_key,
    authenticate_token,
    close_user,
    create_api_key,
    log_in,
    register_person,
    suspend_broker,
    suspend_user,
)
from brokers.services.authentication import CACHE_SECONDS
from brokers.tests.factories import AccountFactory, BrokerFactory, UserFactory
from brokers.tests.people import PASSWORD, bearer, headers_of, register, send, tokens_of
from brokers.types import Principal
from common.api.renderers import format_instant
from exchange_project.settings import base

pytestmark = pytest.mark.django_db

_API = "/api/v1"


def _create_key(client: Client, headers: dict[str, str], **body: Any) -> Any:
    return client.post(f"{_API}/api-keys", body, content_type="application/json", headers=headers)


# --- registration -----------------------------------------------------------------------------


def test_a_person_registers_and_gets_an_account(client: Client) -> None:
    body = {"email": "Ada@Example.test", "password": PASSWORD, "full_name": "Ada"}
    answer = send(client, "register", body)
    user, account = User.objects.get(), TradingAccount.objects.get()
    assert answer.status_code == 201
    assert answer.json() == {
        "id": str(user.id),
        "email": "Ada@example.test",
        "full_name": "Ada",
        "status": "ACTIVE",
        "email_verified_at": None,
        "created_at": format_instant(user.created_at),
        "account": {
            "id": account.id,
            "document_number": account.document_number,
            "funding": "PREFUNDED",
            "credit_limit": None,
            "status": "ACTIVE",
            "is_sandbox": False,
            "created_at": format_instant(account.created_at),
        },
    }
    assert (account.owner, account.broker.name) == (user, "Retail")
    assert account.document_number[0] == "U" and len(account.document_number) <= 20
    assert not (user.is_staff or user.is_superuser)
    assert not ApiKey.objects.exists()


def test_people_share_the_retail_broker_that_is_there(settings: Any) -> None:
    settings.RETAIL_BROKER = "People"
    pretender = BrokerFactory.create(name="People", is_self_registered=True)
    retail = BrokerFactory.create(name="People", default_funding="PREFUNDED")
    BrokerFactory.create(name="People")
    accounts = {register(f"p{number}@example.test").account for number in range(2)}
    assert {account.broker_id for account in accounts} == {retail.id}
    assert len({account.document_number for account in accounts}) == 2
    assert not pretender.accounts.exists()


@pytest.mark.django_db(transaction=True)
def test_first_registrations_at_once_make_one_retail_broker() -> None:
    ready = threading.Barrier(8)

    def run(number: int) -> None:
        try:
            ready.wait()
            register(f"p{number}@example.test")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(run, range(8)))
    assert Broker.objects.get().accounts.count() == 8


@pytest.mark.django_db(transaction=True)
def test_an_address_is_taken_by_one_of_those_who_want_it_at_once() -> None:
    ready = threading.Barrier(6)

    def run(number: int) -> bool:
        try:
            ready.wait()
            register("Ada@example.test" if number % 2 else "ada@example.test")
        except (EmailTaken, IntegrityError):
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(run, range(6))) == 1
    assert User.objects.count() == TradingAccount.objects.count() == 1


def test_a_taken_address_is_refused_in_any_case(client: Client) -> None:
    register()
    answer = send(client, "register", {"email": "ADA@EXAMPLE.TEST", "password": PASSWORD})
    assert (answer.status_code, answer.json()["code"]) == (409, "email_taken")
    assert User.objects.count() == TradingAccount.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"email": None}, "email", "required"),
        ({"email": "ada"}, "email", "invalid_email"),
        ({"email": f"{'a' * 250}@example.test"}, "email", "too_long"),
        ({"email": "ada@example.test\n"}, "email", "invalid_characters"),
        ({"password": "short"}, "password", "weak_password"),
        ({"password": "password123"}, "password", "weak_password"),
        ({"password": "1234567890123"}, "password", "weak_password"),
        ({"password": "ada@example.test"}, "password", "weak_password"),
        ({"password": "x" * 129}, "password", "too_long"),
        ({"password": 12345678901}, "password", "invalid_type"),
        ({"full_name": "x" * 151}, "full_name", "too_long"),
        ({"is_staff": True}, "is_staff", "unknown_field"),
    ],
)
def test_a_malformed_registration_is_refused(
    client: Client, changes: dict[str, Any], field: str, code: str
) -> None:
    body = {"email": "ada@example.test", "password": PASSWORD, **changes}
    answer = send(client, "register", body)
    assert answer.status_code == 422
    problem = answer.json()["errors"][0]
    assert (problem["field"], problem["code"]) == (field, code)
    assert not User.objects.exists() and not Broker.objects.exists()


def test_passwords_are_hashed_with_argon2_first(settings: Any) -> None:
    settings.PASSWORD_HASHERS = base.PASSWORD_HASHERS
    assert make_password(PASSWORD).startswith("argon2$argon2id$")
    for algorithm in ("bcrypt_sha256", "pbkdf2_sha256"):
        assert check_password(PASSWORD, make_password(PASSWORD, hasher=algorithm))


# --- who I am ---------------------------------------------------------------------------------


def test_a_person_sees_and_renames_oneself(client: Client) -> None:
    person = register(full_name="Ada")
    headers = headers_of(person)
    assert send(client, "me", method="get", headers=headers).json()["full_name"] == "Ada"
    answer = send(client, "me", {"full_name": "Ada L."}, method="patch", headers=headers)
    assert answer.status_code == 200
    assert answer.json()["full_name"] == "Ada L."
    assert answer.json()["account"]["id"] == person.account.id
    person.user.refresh_from_db()
    assert person.user.full_name == "Ada L."


def test_a_person_renames_oneself_only(client: Client) -> None:
    person = register()
    body = {"email": "other@example.test", "full_name": "x"}
    answer = send(client, "me", body, method="patch", headers=headers_of(person))
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "unknown_field")
    person.user.refresh_from_db()
    assert (person.user.email, person.user.full_name) == ("ada@example.test", "")


@pytest.mark.parametrize("path", ["me", "password", "email/verify/resend"])
def test_what_is_a_persons_is_closed_to_keys_and_strangers(client: Client, path: str) -> None:
    account = register().account
    scopes = ["read", "trade", "transfer", "admin"]
    key = create_api_key(broker_id=account.broker_id, scopes=scopes, account_id=account.id)
    method = "get" if path == "me" else "post"
    for secret in (key.secret, "tests-admin-key"):
        answer = send(client, path, method=method, headers=bearer(secret))
        assert (answer.status_code, answer.json()["required_scope"]) == (403, "person")
    assert send(client, path, method=method).status_code == 401


def test_a_persons_token_is_the_own_account() -> None:
    person = register()
    principal = authenticate_token(tokens_of(person).access)
    assert principal == Principal(
        key_id=None,
        broker_id=person.account.broker_id,
        broker_name="Retail",
        account_id=person.account.id,
        scopes=frozenset({"read", "trade", "transfer"}),
        user_id=person.user.id,
    )
    assert principal.actor == f"user:{person.user.id}"


def test_a_person_without_an_account_may_do_nothing_but_look_at_oneself(client: Client) -> None:
    staff = UserFactory.create()
    AccountFactory.create()
    headers = bearer(log_in(email=staff.email, password=PASSWORD).access)
    me = send(client, "me", method="get", headers=headers)
    assert (me.status_code, me.json()["account"]) == (200, None)
    for path in ("brokers/me", "accounts", "api-keys", "orders", "webhook-endpoints"):
        answer = client.get(f"{_API}/{path}", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")


def test_an_account_at_another_broker_is_none_for_a_token() -> None:
    account = AccountFactory.create()
    owner = UserFactory.create()
    TradingAccount.objects.filter(pk=account.pk).update(owner=owner)
    register()
    principal = authenticate_token(log_in(email=owner.email, password=PASSWORD).access)
    assert (principal.account_id, principal.scopes) == (None, frozenset())


def test_an_unverified_person_only_reads_where_the_venue_wants_it(
    client: Client, settings: Any
) -> None:
    settings.REQUIRE_VERIFIED_EMAIL = True
    person = register()
    headers = headers_of(person)
    assert client.get(f"{_API}/accounts", headers=headers).status_code == 200
    answer = client.post(f"{_API}/orders", {}, content_type="application/json", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")
    assert _create_key(client, headers, scopes=["trade"]).json()["code"] == "scope_not_held"
    assert not ApiKey.objects.exists()


def test_people_of_a_suspended_broker_read_but_do_not_trade(client: Client) -> None:
    person = register()
    suspend_broker(broker=person.account.broker)
    headers = headers_of(person)
    assert client.get(f"{_API}/accounts", headers=headers).status_code == 200
    answer = client.post(f"{_API}/orders", {}, content_type="application/json", headers=headers)
    assert answer.json()["code"] == "broker_suspended"
    answer = send(client, "me", {"full_name": "A"}, method="patch", headers=headers)
    assert answer.status_code == 200


# --- keys -------------------------------------------------------------------------------------


def test_a_person_makes_lists_rotates_and_revokes_keys_of_the_own_account(client: Client) -> None:
    person = register()
    headers = headers_of(person)
    made = _create_key(client, headers, name="bot", scopes=["read", "trade", "transfer"])
    assert made.status_code == 201
    assert made.json()["account_id"] == person.account.id
    assert authenticate_key(made.json()["key"]).account_id == person.account.id
    assert authenticate_key(made.json()["key"]).user_id is None
    path = f"{_API}/api-keys/{made.json()['id']}"
    rotated = client.post(f"{path}/rotate", {}, content_type="application/json", headers=headers)
    assert (rotated.status_code, rotated.json()["account_id"]) == (201, person.account.id)
    path = f"{_API}/api-keys/{rotated.json()['id']}"
    assert client.post(f"{path}/revoke", headers=headers).status_code == 200
    assert client.delete(path, headers=headers).status_code == 204
    listed = client.get(f"{_API}/api-keys", headers=headers).json()["results"]
    assert len(listed) == 2 and all(key["revoked_at"] for key in listed)


@pytest.mark.parametrize("scope", ["admin", "book", "marks"])
def test_a_person_gives_no_scope_that_people_do_not_have(client: Client, scope: str) -> None:
    answer = _create_key(client, headers_of(register()), scopes=["read", scope])
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_not_held")
    assert not ApiKey.objects.exists()


def test_a_person_reaches_no_key_of_another_account(client: Client) -> None:
    headers = headers_of(register())
    other = register("bob@example.test").account
    broker_id = other.broker_id
    bound = create_api_key(broker_id=broker_id, scopes=["read"], account_id=other.id)
    unbound = create_api_key(broker_id=broker_id, scopes=["read"])
    assert client.get(f"{_API}/api-keys", headers=headers).json()["results"] == []
    for key in (bound.api_key, unbound.api_key):
        path = f"{_API}/api-keys/{key.id}"
        for tail in ("/revoke", "/rotate"):
            answer = client.post(path + tail, {}, content_type="application/json", headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (404, "api_key_not_found")
        assert client.delete(path, headers=headers).status_code == 404
        key.refresh_from_db()
        assert key.revoked_at is None
    answer = _create_key(client, headers, account_id=other.id)
    assert (answer.status_code, answer.json()["code"]) == (403, "other_account")
    assert ApiKey.objects.count() == 2


def test_a_person_does_not_rotate_a_key_that_can_do_more(client: Client) -> None:
    person = register()
    account = person.account
    key = create_api_key(
        broker_id=account.broker_id, scopes=["read", "book"], account_id=account.id
    ).api_key
    path = f"{_API}/api-keys/{key.id}/rotate"
    answer = client.post(path, {}, content_type="application/json", headers=headers_of(person))
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_not_held")
    assert ApiKey.objects.count() == 1


def test_a_person_is_no_administrator_of_the_broker(client: Client) -> None:
    headers = headers_of(register())
    body = {"url": "http://127.0.0.1:9/hook"}
    answer = client.post(
        f"{_API}/webhook-endpoints", body, content_type="application/json", headers=headers
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")
    answer = client.get(f"{_API}/webhook-endpoints", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "other_account")
    body = {"document_number": "77"}
    answer = client.post(f"{_API}/accounts", body, content_type="application/json", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "other_account")
    answer = client.post(f"{_API}/brokers", {}, content_type="application/json", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")


# --- accounts and orders ----------------------------------------------------------------------


def test_a_person_sees_the_own_account_alone(client: Client) -> None:
    person, other = register(), register("bob@example.test")
    headers = headers_of(person)
    listed = client.get(f"{_API}/accounts", headers=headers).json()["results"]
    assert [account["id"] for account in listed] == [person.account.id]
    assert client.get(f"{_API}/accounts/{person.account.id}", headers=headers).status_code == 200
    for tail in ("", "/balances", "/entries", "/statement"):
        answer = client.get(f"{_API}/accounts/{other.account.id}{tail}", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "other_account")


def test_a_person_places_no_order_on_another_account(client: Client) -> None:
    person, other = register(), register("bob@example.test")
    order = {"symbol": "AAPL", "side": "BUY", "quantity": "1", "limit_price": "10"}
    for whose in (
        {"account_id": other.account.id},
        {"document_number": other.account.document_number},
    ):
        answer = client.post(
            f"{_API}/orders",
            {**order, **whose},
            content_type="application/json",
            headers=headers_of(person),
        )
        assert (answer.status_code, answer.json()["code"]) == (403, "other_account")


@pytest.mark.parametrize("form", ["Bearer", "Token", "X-API-KEY"])
def test_a_token_works_wherever_a_key_does(client: Client, form: str) -> None:
    access = tokens_of(register()).access
    headers = {form: access} if form == "X-API-KEY" else {"Authorization": f"{form} {access}"}
    for path in ("/api/v1/brokers/me", "/api/v1/orders", "/balance"):
        assert client.get(path, headers=headers).status_code == 200


def test_a_person_has_a_rate_limit_of_the_own(client: Client, settings: Any) -> None:
    settings.API_RATE_PER_SECOND = 2
    one, other = headers_of(register()), headers_of(register("bob@example.test"))
    answers = [send(client, "me", method="get", headers=one) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert send(client, "me", method="get", headers=other).status_code == 200


# --- suspended and closed ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("act", "code"), [(suspend_user, "user_suspended"), (close_user, "user_closed")]
)
def test_who_is_shut_out_gets_no_token_and_hears_why_with_the_right_password(
    client: Client, act: Any, code: str
) -> None:
    person = register()
    refresh = tokens_of(person).refresh
    act(user=person.user)
    body = {"email": person.user.email, "password": PASSWORD}
    answer = send(client, "token", body)
    assert (answer.status_code, answer.json()["code"]) == (403, code)
    answer = send(client, "token", {**body, "password": "wrong"})
    assert (answer.status_code, answer.json()["code"]) == (401, "wrong_credentials")
    answer = send(client, "token/refresh", {"refresh": refresh})
    assert (answer.status_code, answer.json()["code"]) == (403, code)


@pytest.mark.parametrize(
    ("act", "error"), [(suspend_user, UserSuspended), (close_user, UserClosed)]
)
@pytest.mark.django_db(transaction=True)
def test_who_is_shut_out_loses_tokens_and_keys_at_once_here(act: Any, error: Any) -> None:
    person = register()
    access = tokens_of(person).access
    key = create_api_key(
        broker_id=person.account.broker_id, scopes=["read"], account_id=person.account.id
    )
    assert authenticate_token(access) and authenticate_key(key.secret)
    act(user=person.user)
    with pytest.raises(error):
        authenticate_token(access)
    with pytest.raises(error):
        authenticate_key(key.secret)


def test_suspension_elsewhere_works_within_five_seconds() -> None:
    person = register()
    access = tokens_of(person).access
    authenticate_token(access)
    User.objects.update(status="SUSPENDED")  # as another process does: this one is not told
    assert authenticate_token(access)  # remembered
    time.sleep(CACHE_SECONDS + 0.1)
    with pytest.raises(UserSuspended):
        authenticate_token(access)


@pytest.mark.django_db(transaction=True)
def test_suspension_ends_and_tokens_work_again() -> None:
    person = register()
    tokens = tokens_of(person)
    suspend_user(user=person.user)
    assert not person.user.is_active and person.user.status_changed_at is not None
    activate_user(user=person.user)
    assert person.user.is_active
    assert authenticate_token(tokens.access).user_id == person.user.id


def test_a_closed_login_stays_closed() -> None:
    person = register()
    close_user(user=person.user)
    changed_at = person.user.status_changed_at
    for act in (activate_user, suspend_user, close_user):
        with pytest.raises(UserClosed):
            act(user=person.user)
    person.user.refresh_from_db()
    assert (person.user.status, person.user.status_changed_at) == ("CLOSED", changed_at)
    assert TradingAccount.objects.get().status == "ACTIVE"


def test_an_unknown_person_costs_the_time_of_a_hash(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    register()

    def seconds(email: str) -> float:
        began = time.process_time()
        with pytest.raises(WrongCredentials):
            log_in(email=email, password="wrong")
        return time.process_time() - began

    known, unknown = seconds("ada@example.test"), seconds("nobody@example.test")
    assert unknown > known / 3


def test_a_token_of_nobody_is_refused() -> None:
    person = register()
    access = tokens_of(person).access
    TradingAccount.objects.all().delete()
    register_person(email="bob@example.test", password=PASSWORD)
    User.objects.filter(pk=person.user.pk).delete()
    with pytest.raises(InvalidToken):
        authenticate_token(access)
