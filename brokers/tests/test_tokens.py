"""Tokens of people: made, refreshed once, ended, and never believed without our signature."""

import base64
import contextlib
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.conf import settings as venue_settings
from django.db import connections
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from brokers.errors import InvalidToken
from brokers.services import TokenPair, authenticate_token, log_in, log_out, refresh_tokens
from brokers.services.authentication import CACHE_SECONDS
from brokers.services.tokens import REUSE_GRACE, is_token, purge_expired_tokens
from brokers.tests.people import (
    OTHER_PASSWORD,
    PASSWORD,
    bearer,
    headers_of,
    register,
    send,
    tokens_of,
)
from common.errors import NotAuthenticated

pytestmark = pytest.mark.django_db

_SIGNING_KEY = str(venue_settings.SIMPLE_JWT["SIGNING_KEY"])


def _claims(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


# --- logging in -------------------------------------------------------------------------------


def test_a_login_is_answered_with_tokens(client: Client) -> None:
    person = register()
    answer = send(client, "token", {"email": "ADA@example.test", "password": PASSWORD})
    assert answer.status_code == 200
    document = answer.json()
    assert (document["token_type"], document["expires_in"]) == ("Bearer", 600)
    assert authenticate_token(document["access"]).user_id == person.user.id
    claims = _claims(document["refresh"])
    assert timedelta(seconds=claims["exp"] - claims["iat"]) == timedelta(days=14)
    person.user.refresh_from_db()
    assert person.user.last_login is not None


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("ada@example.test", PASSWORD.upper()),
        ("nobody@example.test", PASSWORD),
        ("no address", PASSWORD),
    ],
)
def test_a_wrong_login_does_not_tell_what_is_wrong(
    client: Client, email: str, password: str
) -> None:
    register()
    answer = send(client, "token", {"email": email, "password": password})
    assert (answer.status_code, answer.json()["code"]) == (401, "wrong_credentials")
    assert answer.json()["detail"] == "The email address or the password is wrong"
    assert not OutstandingToken.objects.exists()


def test_a_person_without_a_password_does_not_log_in(client: Client) -> None:
    person = register()
    person.user.set_unusable_password()
    person.user.save()
    answer = send(client, "token", {"email": person.user.email, "password": PASSWORD})
    assert answer.json()["code"] == "wrong_credentials"


def test_a_key_in_the_header_does_not_matter_where_strangers_call(client: Client) -> None:
    register()
    body = {"email": "ada@example.test", "password": PASSWORD}
    assert send(client, "token", body, headers=bearer("wrong")).status_code == 200


def test_tokens_are_not_stored() -> None:
    tokens = tokens_of(register())
    row = OutstandingToken.objects.get()
    assert row.jti == _claims(tokens.refresh)["jti"]
    assert row.token == ""


# --- access tokens ----------------------------------------------------------------------------


def test_a_known_persons_token_costs_no_query(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    access = tokens_of(register()).access
    with django_assert_max_num_queries(3):
        authenticate_token(access)
    with django_assert_max_num_queries(0):
        authenticate_token(access)


def test_an_unsigned_token_is_refused(client: Client) -> None:
    claims = _claims(tokens_of(register()).access)
    for algorithm in ("none", "None", "NONE"):
        unsigned = f"{_part({'alg': algorithm, 'typ': 'JWT'})}.{_part(claims)}."
        assert is_token(unsigned)
        answer = send(client, "me", method="get", headers=bearer(unsigned))
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        ("foreign" * 8, "HS256"),
        (venue_settings.SECRET_KEY.ljust(32), "HS256"),
        (_SIGNING_KEY, "HS512"),
    ],
)
def test_a_foreign_signature_is_refused(key: str, algorithm: str) -> None:
    claims = _claims(tokens_of(register()).access)
    assert authenticate_token(jwt.encode(claims, _SIGNING_KEY, "HS256"))
    with pytest.raises(InvalidToken):
        authenticate_token(jwt.encode(claims, key, algorithm))


def test_changed_claims_are_refused() -> None:
    access, other = tokens_of(register()).access, register("bob@example.test")
    head, _, signature = access.split(".")
    forged = _part({**_claims(access), "user_id": str(other.user.id)})
    with pytest.raises(InvalidToken):
        authenticate_token(f"{head}.{forged}.{signature}")


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": int(time.time()) - 1},
        {"exp": None},
        {"token_type": "refresh"},
        {"token_type": None},
        {"jti": None},
        {"user_id": "1"},
        {"user_id": None},
        {"user_id": 7},
        {"session": ""},
        {"session": None},
        {"user_id": "019c0000-0000-7000-8000-000000000000"},
    ],
)
def test_claims_that_are_not_those_of_an_access_token_are_refused(changes: dict[str, Any]) -> None:
    claims = {**_claims(tokens_of(register()).access), **changes}
    claims = {name: value for name, value in claims.items() if value is not None}
    with pytest.raises(InvalidToken):
        authenticate_token(jwt.encode(claims, _SIGNING_KEY, "HS256"))


def test_an_access_token_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    person = register()
    monkeypatch.setattr(AccessToken, "lifetime", timedelta(seconds=1))
    access = tokens_of(person).access
    assert authenticate_token(access)
    time.sleep(1.1)
    with pytest.raises(InvalidToken):
        authenticate_token(access)


def test_a_refresh_token_is_no_access_token(client: Client) -> None:
    tokens = tokens_of(register())
    answer = send(client, "me", method="get", headers=bearer(tokens.refresh))
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")


@pytest.mark.parametrize("text", ["eyJ.a.b", "eyJ..", "eyJhbGciOiJIUzI1NiJ9.e30.x", "eyJ." * 2])
def test_what_only_looks_like_a_token_is_refused(client: Client, text: str) -> None:
    answer = send(client, "me", method="get", headers=bearer(text))
    assert answer.status_code == 401
    with pytest.raises(NotAuthenticated):
        authenticate_token(text)


def test_a_token_that_is_too_long_is_refused() -> None:
    with pytest.raises(InvalidToken):
        authenticate_token(f"eyJ.{'a' * 2000}.b")


# --- refreshing -------------------------------------------------------------------------------


def test_a_refresh_token_is_replaced_at_each_use(client: Client) -> None:
    person = register()
    refresh = tokens_of(person).refresh
    for _ in range(3):
        answer = send(client, "token/refresh", {"refresh": refresh})
        assert answer.status_code == 200
        assert authenticate_token(answer.json()["access"]).user_id == person.user.id
        assert answer.json()["refresh"] != refresh
        refresh = answer.json()["refresh"]
    assert OutstandingToken.objects.count() == 4
    assert BlacklistedToken.objects.count() == 3


def test_a_used_refresh_token_ends_its_successors_but_no_other_login(client: Client) -> None:
    person = register()
    first, elsewhere = tokens_of(person).refresh, tokens_of(person).refresh
    second = refresh_tokens(refresh=first).refresh
    third = refresh_tokens(refresh=second).refresh
    answer = send(client, "token/refresh", {"refresh": first})
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    for ended in (second, third):
        assert send(client, "token/refresh", {"refresh": ended}).status_code == 401
    assert send(client, "token/refresh", {"refresh": elsewhere}).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_tabs_that_use_a_refresh_token_at_once_get_one_successor(client: Client) -> None:
    refresh = tokens_of(register()).refresh
    ready = threading.Barrier(6)

    def use(_: int) -> TokenPair:
        try:
            ready.wait()
            return refresh_tokens(refresh=refresh)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        pairs = list(pool.map(use, range(6)))
    (successor,) = {pair.refresh for pair in pairs}
    assert OutstandingToken.objects.filter(blacklistedtoken__isnull=True).count() == 1
    for pair in pairs:
        assert send(client, "me", method="get", headers=bearer(pair.access)).status_code == 200
    assert refresh_tokens(refresh=successor).refresh not in (refresh, successor)


def _used_ago(refresh: str, ago: timedelta) -> None:
    used = BlacklistedToken.objects.filter(token__jti=_claims(refresh)["jti"])
    assert used.update(blacklisted_at=timezone.now() - ago) == 1


def test_an_answer_that_got_lost_is_had_again_for_seconds() -> None:
    first = tokens_of(register()).refresh
    second = refresh_tokens(refresh=first).refresh
    _used_ago(first, REUSE_GRACE - timedelta(seconds=2))
    assert refresh_tokens(refresh=first).refresh == second
    assert OutstandingToken.objects.count() == 2
    assert refresh_tokens(refresh=second)


def test_after_that_a_used_refresh_token_ends_its_unused_successor() -> None:
    first = tokens_of(register()).refresh
    second = refresh_tokens(refresh=first).refresh
    _used_ago(first, REUSE_GRACE + timedelta(seconds=1))
    for ended in (first, second, first):
        with pytest.raises(InvalidToken):
            refresh_tokens(refresh=ended)
    assert OutstandingToken.objects.count() == 2


def test_a_refresh_token_that_a_logout_ended_has_no_grace() -> None:
    first = tokens_of(register()).refresh
    log_out(refresh=first)
    with pytest.raises(InvalidToken):
        refresh_tokens(refresh=first)
    second = tokens_of(register("bob@example.test")).refresh
    third = refresh_tokens(refresh=second).refresh
    log_out(refresh=third)
    with pytest.raises(InvalidToken):
        refresh_tokens(refresh=second)
    assert not OutstandingToken.objects.filter(blacklistedtoken__isnull=True).exists()


@pytest.mark.django_db(transaction=True)
def test_a_logout_ends_the_token_that_a_refresh_makes_at_the_same_time() -> None:
    for number in range(10):
        refresh = tokens_of(register(f"p{number}@example.test")).refresh
        ready = threading.Barrier(2)

        def act(what: Callable[..., object], ready: threading.Barrier, refresh: str) -> None:
            try:
                ready.wait()
                with contextlib.suppress(InvalidToken):
                    what(refresh=refresh)
            finally:
                connections.close_all()

        with ThreadPoolExecutor(2) as pool:
            for done in [
                pool.submit(act, one, ready, refresh) for one in (refresh_tokens, log_out)
            ]:
                done.result()
    assert not OutstandingToken.objects.filter(blacklistedtoken__isnull=True).exists()


def test_an_access_token_refreshes_nothing(client: Client) -> None:
    tokens = tokens_of(register())
    answer = send(client, "token/refresh", {"refresh": tokens.access})
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    assert not BlacklistedToken.objects.exists()


@pytest.mark.parametrize("refresh", ["x", "a.b.c", "eyJ.eyJ.x"])
def test_what_is_no_token_refreshes_nothing(client: Client, refresh: str) -> None:
    for path in ("token/refresh", "logout"):
        answer = send(client, path, {"refresh": refresh})
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")


def test_an_expired_refresh_token_refreshes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RefreshToken, "lifetime", timedelta(seconds=-1))
    refresh = tokens_of(register()).refresh
    with pytest.raises(InvalidToken):
        refresh_tokens(refresh=refresh)


def test_a_refresh_token_that_nobody_made_is_refused() -> None:
    refresh = tokens_of(register()).refresh
    OutstandingToken.objects.all().delete()
    with pytest.raises(InvalidToken):
        refresh_tokens(refresh=refresh)


# --- logging out ------------------------------------------------------------------------------


def test_who_logs_out_needs_a_password_again(client: Client) -> None:
    person = register()
    refresh, elsewhere = tokens_of(person).refresh, tokens_of(person).refresh
    for _ in range(2):
        assert send(client, "logout", {"refresh": refresh}).status_code == 204
    assert send(client, "token/refresh", {"refresh": refresh}).status_code == 401
    assert send(client, "token/refresh", {"refresh": elsewhere}).status_code == 200


def test_logging_out_with_a_used_token_ends_its_successors() -> None:
    first = tokens_of(register()).refresh
    second = refresh_tokens(refresh=first).refresh
    log_out(refresh=first)
    with pytest.raises(InvalidToken):
        refresh_tokens(refresh=second)


def test_expired_tokens_are_purged() -> None:
    person = register()
    used = tokens_of(person).refresh
    kept = refresh_tokens(refresh=used).refresh
    OutstandingToken.objects.filter(jti=_claims(used)["jti"]).update(
        expires_at=timezone.now() - timedelta(seconds=1)
    )
    purge_expired_tokens()
    assert OutstandingToken.objects.get().jti == _claims(kept)["jti"]
    assert not BlacklistedToken.objects.exists()


# --- another password -------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_another_password_ends_all_tokens(client: Client) -> None:
    person = register()
    tokens, elsewhere = tokens_of(person), tokens_of(person)
    body = {"old_password": PASSWORD, "new_password": OTHER_PASSWORD}
    assert send(client, "password", body, headers=bearer(tokens.access)).status_code == 204
    for pair in (tokens, elsewhere):
        assert send(client, "me", method="get", headers=bearer(pair.access)).status_code == 401
        assert send(client, "token/refresh", {"refresh": pair.refresh}).status_code == 401
    assert not OutstandingToken.objects.filter(blacklistedtoken__isnull=True).exists()
    new = tokens_of(person, OTHER_PASSWORD)
    assert send(client, "me", method="get", headers=bearer(new.access)).status_code == 200
    person.user.refresh_from_db()
    assert person.user.password_changed_at is not None


def test_a_password_set_elsewhere_lets_the_new_token_in_and_ends_the_old_one() -> None:
    person = register()
    old = tokens_of(person)
    authenticate_token(old.access)
    person.user.set_password(OTHER_PASSWORD)  # as the admin's form does, in another process
    person.user.save()
    new = log_in(email=person.user.email, password=OTHER_PASSWORD)
    assert authenticate_token(old.access)  # remembered
    assert authenticate_token(new.access)
    with pytest.raises(InvalidToken):
        authenticate_token(old.access)
    with pytest.raises(InvalidToken):
        refresh_tokens(refresh=old.refresh)
    assert CACHE_SECONDS <= 5


@pytest.mark.parametrize(
    ("old", "new", "status", "code"),
    [
        ("wrong", OTHER_PASSWORD, 403, "wrong_password"),
        (PASSWORD, "short", 422, "invalid"),
        (PASSWORD, "ada@example.test", 422, "invalid"),
    ],
)
def test_a_refused_password_changes_nothing(
    client: Client, old: str, new: str, status: int, code: str
) -> None:
    person = register()
    refresh, headers = tokens_of(person).refresh, headers_of(person)
    answer = send(client, "password", {"old_password": old, "new_password": new}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    if status == 422:
        assert answer.json()["errors"][0]["field"] == "new_password"
    assert tokens_of(person) and refresh_tokens(refresh=refresh)
    assert send(client, "me", method="get", headers=headers).status_code == 200
    person.user.refresh_from_db()
    assert person.user.password_changed_at is None
