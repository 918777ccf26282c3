"""Mailed tokens: they verify an address and reset a password, once, and tell nobody who is here."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from celery import current_app
from django.core import mail
from django.test import Client
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from brokers.models import User
from brokers.services import (
    authenticate_key,
    close_user,
    create_api_key,
    log_in,
    mail_tokens,
    suspend_user,
)
from brokers.services.mail_tokens import make_reset_token, make_verification_token
from brokers.services.mails import send_password_reset_mail
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
from common.valkey import key as valkey_key

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _tasks_run_at_once() -> Iterator[None]:
    current_app.loader.import_default_modules()
    current_app.conf.task_always_eager = True
    yield
    current_app.conf.task_always_eager = False


def _mailed_token() -> str:
    """The token of the last mail: the line that is nothing else."""
    (token,) = re.findall(r"^\S{40,}$", str(mail.outbox[-1].body), re.MULTILINE)
    return token


def _reset(client: Client, token: str, password: str = OTHER_PASSWORD) -> Any:
    return send(client, "password/reset/confirm", {"token": token, "password": password})


def _assert_refused(answer: Any) -> None:
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_mail_token")


# --- verification -----------------------------------------------------------------------------


def test_registration_mails_a_token_that_verifies_the_address(client: Client) -> None:
    body = {"email": "ada@example.test", "password": PASSWORD, "full_name": "Ada"}
    send(client, "register", body)
    (message,) = mail.outbox
    assert (message.to, message.subject) == (["ada@example.test"], "Your email address")
    assert message.from_email == "Bourse <no-reply@localhost>"
    token = _mailed_token()
    for _ in range(2):
        assert send(client, "email/verify", {"token": token}).status_code == 204
    assert User.objects.get().email_verified_at is not None


def test_a_mail_carries_no_text_of_the_caller(client: Client) -> None:
    """Anybody may name anybody's address, so nothing that they write beside it is sent there."""
    email = "ada+//evil.test/win@example.test"
    body = {"email": email, "password": PASSWORD, "full_name": "You won! https://evil.test/"}
    headers = {
        "X-Request-ID": "evil.test",
        "User-Agent": "evil.test",
        "Origin": "https://evil.test",
    }
    assert send(client, "register", body, headers=headers).status_code == 201
    assert send(client, "password/reset", {"email": email}, headers=headers).status_code == 202
    person = bearer(log_in(email=email, password=PASSWORD).access)
    assert send(client, "email/verify/resend", headers={**headers, **person}).status_code == 202

    assert [message.to for message in mail.outbox] == [[email]] * 3
    for message in mail.outbox:
        for written in ("evil", "You won", PASSWORD, email):
            assert written not in f"{message.subject}\n{message.body}"


def test_verifying_twice_keeps_the_first_time(client: Client) -> None:
    user = register().user
    token = make_verification_token(user)
    send(client, "email/verify", {"token": token})
    first = User.objects.get().email_verified_at
    send(client, "email/verify", {"token": token})
    assert User.objects.get().email_verified_at == first


def test_verification_opens_trading_where_the_venue_wants_it(client: Client, settings: Any) -> None:
    settings.REQUIRE_VERIFIED_EMAIL = True
    person = register()
    headers = headers_of(person)

    def scopes() -> list[str]:
        return client.get("/api/v1/brokers/me", headers=headers).json()["scopes"]

    assert scopes() == ["read"]
    send(client, "email/verify", {"token": _mailed_token()})
    assert scopes() == ["read", "trade", "transfer"]


def test_a_token_verifies_no_other_address(client: Client) -> None:
    user = register().user
    token = make_verification_token(user)
    User.objects.update(email="ada@other.test")
    _assert_refused(send(client, "email/verify", {"token": token}))
    assert User.objects.get().email_verified_at is None


def test_an_expired_verification_is_refused(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = make_verification_token(register().user)
    monkeypatch.setattr(mail_tokens, "VERIFICATION_LIFETIME", -mail_tokens.VERIFICATION_LIFETIME)
    _assert_refused(send(client, "email/verify", {"token": token}))
    assert User.objects.get().email_verified_at is None


@pytest.mark.parametrize("token", ["x", "a:b:c", "é" * 10])
def test_a_made_up_verification_is_refused(client: Client, token: str) -> None:
    user = register().user
    _assert_refused(send(client, "email/verify", {"token": token}))
    forged = make_verification_token(user)[:-2] + "xx"
    _assert_refused(send(client, "email/verify", {"token": forged}))
    _assert_refused(send(client, "email/verify", {"token": make_reset_token(user)}))
    assert User.objects.get().email_verified_at is None


def test_the_token_is_mailed_again_until_the_address_is_verified(client: Client) -> None:
    headers = headers_of(register())
    assert send(client, "email/verify/resend", headers=headers).status_code == 202
    assert len(mail.outbox) == 2
    send(client, "email/verify", {"token": _mailed_token()})
    assert send(client, "email/verify/resend", headers=headers).status_code == 202
    assert len(mail.outbox) == 2


# --- reset ------------------------------------------------------------------------------------


def test_a_mailed_token_sets_a_new_password_and_ends_all_tokens(client: Client) -> None:
    person = register()
    old = tokens_of(person)
    answer = send(client, "password/reset", {"email": "ADA@example.test"})
    assert (answer.status_code, answer.content) == (202, b"")
    assert mail.outbox[-1].to == ["ada@example.test"]
    assert _reset(client, _mailed_token()).status_code == 204
    assert send(client, "me", method="get", headers=bearer(old.access)).status_code == 401
    assert send(client, "token/refresh", {"refresh": old.refresh}).status_code == 401
    assert not OutstandingToken.objects.filter(blacklistedtoken__isnull=True).exists()
    assert tokens_of(person, OTHER_PASSWORD)
    user = User.objects.get()
    assert user.password_changed_at is not None
    assert user.email_verified_at is not None  # the mail was read


@pytest.mark.parametrize("is_proven", [True, False])
def test_who_registered_anothers_address_keeps_no_key_of_it(
    client: Client, is_proven: bool
) -> None:
    person = register()
    key = create_api_key(
        broker_id=person.account.broker_id, scopes=["transfer"], account_id=person.account.id
    )
    unbound = create_api_key(broker_id=person.account.broker_id, scopes=["read"])
    if is_proven:
        send(client, "email/verify", {"token": make_verification_token(person.user)})
    assert _reset(client, make_reset_token(person.user)).status_code == 204
    key.api_key.refresh_from_db()
    assert (key.api_key.revoked_at is None) == is_proven
    assert authenticate_key(unbound.secret)
    if not is_proven:
        with pytest.raises(NotAuthenticated):
            authenticate_key(key.secret)


def test_the_answer_does_not_tell_who_is_here(client: Client) -> None:
    register()
    mails = len(mail.outbox)
    answers = [
        send(client, "password/reset", {"email": email})
        for email in ("ada@example.test", "nobody@example.test")
    ]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].content == answers[1].content
    assert len(mail.outbox) == mails + 1


def test_no_address_is_a_malformed_request(client: Client) -> None:
    assert send(client, "password/reset", {"email": "nobody"}).status_code == 422


def test_a_reset_token_works_once(client: Client) -> None:
    person = register()
    token = make_reset_token(person.user)
    assert _reset(client, token).status_code == 204
    _assert_refused(_reset(client, token, PASSWORD))
    assert tokens_of(person, OTHER_PASSWORD)


def test_a_reset_token_ends_with_a_login(client: Client) -> None:
    person = register()
    token = make_reset_token(person.user)
    tokens_of(person)
    _assert_refused(_reset(client, token))
    assert tokens_of(person)


def test_a_reset_token_expires(client: Client, settings: Any) -> None:
    person = register()
    token = make_reset_token(person.user)
    settings.PASSWORD_RESET_TIMEOUT = -1
    _assert_refused(_reset(client, token))
    assert tokens_of(person)


def test_a_reset_token_is_nobody_elses(client: Client) -> None:
    person, other = register(), register("bob@example.test")
    stolen = f"{other.user.id.hex}-{make_reset_token(person.user).partition('-')[2]}"
    for token in (stolen, "x", f"{'0' * 32}-abc-def", make_verification_token(person.user)):
        _assert_refused(_reset(client, token))
    assert tokens_of(other) and tokens_of(person)


def test_a_weak_password_does_not_use_the_token_up(client: Client) -> None:
    person = register()
    token = make_reset_token(person.user)
    answer = _reset(client, token, "short")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "weak_password")
    assert User.objects.get().email_verified_at is None
    assert _reset(client, token).status_code == 204


@pytest.mark.parametrize("act", [suspend_user, close_user])
def test_who_is_shut_out_gets_no_mail_and_resets_nothing(client: Client, act: Any) -> None:
    user = register().user
    verification, reset = make_verification_token(user), make_reset_token(user)
    mails = len(mail.outbox)
    act(user=user)
    assert send(client, "password/reset", {"email": user.email}).status_code == 202
    assert len(mail.outbox) == mails
    _assert_refused(_reset(client, reset))
    _assert_refused(send(client, "email/verify", {"token": verification}))
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


def test_who_has_no_password_gets_no_mail() -> None:
    user = register().user
    user.set_unusable_password()
    user.save()
    mails = len(mail.outbox)
    send_password_reset_mail(user.email)
    assert len(mail.outbox) == mails


def test_a_queue_that_takes_nothing_costs_the_mail_and_nothing_else(
    client: Client, valkey: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    current_app.conf.task_always_eager = False
    valkey.set(valkey_key("celery:webhooks"), "where Celery has a list")
    answer = send(client, "register", {"email": "ada@example.test", "password": PASSWORD})
    assert answer.status_code == 201
    assert User.objects.count() == 1
    assert "a mail was not queued" in caplog.text
    assert mail.outbox == []
