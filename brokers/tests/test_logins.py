"""Passwords that are tried: counted before they are hashed, bounded, and kept in a history."""

import threading
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.contrib.auth.hashers import make_password
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from brokers import hashers
from brokers.errors import PasswordsBusy
from brokers.models import LoginAttempt, NetworkAddress, User
from brokers.services import suspend_user
from brokers.services.logins import log_in, purge_login_attempts
from brokers.services.mail_tokens import make_reset_token
from brokers.tests.people import OTHER_PASSWORD, PASSWORD, headers_of, register, send

pytestmark = pytest.mark.django_db

LIMIT = 10
HOME, STRANGER = "192.0.2.1", "198.51.100.7"


@pytest.fixture(autouse=True)
def _limits(settings: Any, valkey: redis.Redis) -> None:
    settings.AUTH_ATTEMPTS_PER_MINUTE = LIMIT


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that were checked."""
    checked: list[str] = []
    check = User.check_password

    def note(user: User, raw: str) -> bool:
        checked.append(raw)
        return check(user, raw)

    monkeypatch.setattr(User, "check_password", note)
    return checked


@pytest.fixture
def staff() -> User:
    return User.objects.create_superuser("staff@example.test", PASSWORD)


def enter(client: Client, password: str, address: str, email: str = "ada@example.test") -> Any:
    """A login by the API."""
    body = {"email": email, "password": password}
    return send(client, "token", body, REMOTE_ADDR=address)


def enter_office(client: Client, password: str, address: str) -> int:
    """A login to the back office: 302 where it lets in, 200 where it shows the form again."""
    data = {"username": "staff@example.test", "password": password}
    return client.post(reverse("admin:login"), data, REMOTE_ADDR=address).status_code


def history() -> list[tuple[str, str, str]]:
    rows = LoginAttempt.objects.order_by("id").select_related("address")
    return [
        (row.channel, row.outcome, "" if row.address is None else row.address.address)
        for row in rows
    ]


# --- who is locked out ----------------------------------------------------------------------------


def test_a_stranger_who_guesses_locks_out_that_stranger(client: Client, hashed: list[str]) -> None:
    register()
    answers = [enter(client, f"guess {n}", STRANGER) for n in range(LIMIT + 3)]

    assert [one.status_code for one in answers] == [401] * LIMIT + [429] * 3
    assert answers[-1].json()["code"] == "throttled"
    assert 1 <= int(answers[-1]["Retry-After"]) <= 60
    # What is refused is not hashed, the right password neither.
    assert enter(client, PASSWORD, STRANGER).status_code == 429
    assert hashed == [f"guess {n}" for n in range(LIMIT)]
    assert enter(client, PASSWORD, HOME).status_code == 200


def test_upper_and_lower_case_are_one_account(client: Client) -> None:
    register()
    for number in range(LIMIT):
        enter(client, "wrong", STRANGER, "Ada@example.test" if number % 2 else "ada@example.test")
    assert enter(client, "wrong", STRANGER, "ADA@EXAMPLE.TEST").status_code == 429


def test_many_strangers_lock_the_account_but_for_known_addresses(client: Client) -> None:
    register()
    assert enter(client, PASSWORD, HOME).status_code == 200
    # The first login counted too, as one from a new address.
    for attempt in range(LIMIT * LIMIT - 1):
        assert enter(client, "wrong", f"203.0.113.{attempt // LIMIT}").status_code == 401

    assert enter(client, "wrong", "203.0.113.99").status_code == 429
    assert enter(client, PASSWORD, "203.0.113.99").status_code == 429
    assert enter(client, PASSWORD, HOME).status_code == 200
    assert enter(client, "wrong", "203.0.113.99", "bob@example.test").status_code == 401


def test_whoever_resets_the_password_gets_past_strangers_who_guess(client: Client) -> None:
    person = register()
    for attempt in range(LIMIT * LIMIT + 1):
        enter(client, "wrong", f"203.0.113.{attempt // LIMIT}")
    assert enter(client, PASSWORD, HOME).status_code == 429

    body = {"token": make_reset_token(person.user), "password": OTHER_PASSWORD}
    reset = send(client, "password/reset/confirm", body, REMOTE_ADDR=HOME)
    assert reset.status_code == 204

    assert history()[-1] == ("PASSWORD", "SUCCEEDED", HOME)
    assert enter(client, OTHER_PASSWORD, HOME).status_code == 200
    assert enter(client, OTHER_PASSWORD, "203.0.113.99").status_code == 429


def test_one_stranger_who_goes_on_for_an_hour_does_not(
    client: Client, valkey: redis.Redis, settings: Any
) -> None:
    """An address adds to the account's limit no more than a few an hour."""
    register()
    for _ in range(12):
        for _ in range(LIMIT):
            enter(client, "wrong", STRANGER)
        for key in valkey.scan_iter(match=f"{settings.REDIS_PREFIX}attempts:*", count=1000):
            if b":login:" in key or b":address:" in key:
                valkey.unlink(key)  # a minute later
    assert enter(client, PASSWORD, HOME).status_code == 200


def test_an_address_tries_three_times_as_many_at_all_accounts(client: Client) -> None:
    answers = [enter(client, "wrong", STRANGER, f"p{n}@example.test") for n in range(3 * LIMIT + 1)]
    assert [one.status_code for one in answers] == [401] * 3 * LIMIT + [429]


# --- the back office ------------------------------------------------------------------------------


def test_the_back_office_counts_before_it_hashes(
    client: Client, staff: User, hashed: list[str]
) -> None:
    answers = [enter_office(client, f"guess {n}", STRANGER) for n in range(60)]

    assert answers == [200] * LIMIT + [429] * 50
    assert enter_office(client, PASSWORD, STRANGER) == 429
    assert len(hashed) == LIMIT
    assert not Session.objects.exists()
    assert enter_office(client, PASSWORD, HOME) == 302


def test_both_logins_count_together(client: Client, staff: User) -> None:
    for number in range(LIMIT):
        if number % 2:
            enter_office(client, "wrong", STRANGER)
        else:
            enter(client, "wrong", STRANGER, staff.email)
    assert enter_office(client, PASSWORD, STRANGER) == 429
    assert enter(client, PASSWORD, STRANGER, staff.email).status_code == 429


def test_a_session_that_nobody_uses_ends(client: Client, staff: User, settings: Any) -> None:
    assert settings.SESSION_COOKIE_AGE == 1_800
    enter_office(client, PASSWORD, HOME)
    index = reverse("admin:index")
    session = Session.objects.get()
    assert timedelta(minutes=29) < session.expire_date - timezone.now() <= timedelta(minutes=30)
    # Each use puts the end off, by a write once a minute.
    for seconds, is_moved in ((60, True), (1_730, True), (1_770, False)):
        end = timezone.now() + timedelta(seconds=seconds)
        Session.objects.update(expire_date=end)
        answer = client.get(index)
        assert (answer.status_code, "sessionid" in answer.cookies) == (200, is_moved)
        assert (Session.objects.get().expire_date > end) is is_moved
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    assert client.get(index).status_code == 302


def test_the_present_password_of_staff_is_not_guessed_in_a_session(
    client: Client, staff: User, hashed: list[str]
) -> None:
    client.force_login(staff)
    page = reverse("admin:password_change")
    assert client.get(page).status_code == 200
    data = {"old_password": "guess", "new_password1": "words-9-x", "new_password2": "words-9-x"}
    answers = [client.post(page, data, REMOTE_ADDR=HOME).status_code for _ in range(LIMIT + 2)]
    assert answers == [200] * LIMIT + [429] * 2
    assert len(hashed) == LIMIT
    assert LoginAttempt.objects.get().channel == "PASSWORD"


# --- other places ---------------------------------------------------------------------------------


def test_a_stolen_token_does_not_guess_the_password(client: Client, hashed: list[str]) -> None:
    headers = headers_of(register())
    hashed.clear()
    body = {"old_password": "guess", "new_password": "another-long-password"}
    answers = [
        send(client, "password", body, headers=headers, REMOTE_ADDR=HOME).status_code
        for _ in range(LIMIT + 1)
    ]
    assert answers == [403] * LIMIT + [429]
    assert len(hashed) == LIMIT


def test_strangers_do_not_keep_a_person_from_a_new_password(client: Client) -> None:
    person = register()
    headers = headers_of(person)
    for _ in range(LIMIT + 1):
        enter(client, "wrong", STRANGER)
    body = {"old_password": PASSWORD, "new_password": "another-long-password"}
    assert send(client, "password", body, headers=headers, REMOTE_ADDR=HOME).status_code == 204


def test_a_mailed_token_is_not_guessed(client: Client) -> None:
    person = register()
    wrong = {"token": f"{person.user.pk.hex}-abc-def", "password": "another-long-password"}
    answers = [
        send(client, "password/reset/confirm", wrong, REMOTE_ADDR=STRANGER).status_code
        for _ in range(LIMIT + 1)
    ]
    assert answers == [422] * LIMIT + [429]
    right = {**wrong, "token": make_reset_token(person.user)}
    answer = send(client, "password/reset/confirm", right, REMOTE_ADDR=HOME)
    assert answer.status_code == 204


# --- history --------------------------------------------------------------------------------------


def test_every_attempt_is_in_the_history_and_a_lock_out_once(
    client: Client, staff: User, caplog: pytest.LogCaptureFixture
) -> None:
    person = register()
    enter(client, PASSWORD, HOME)
    enter_office(client, "wrong", HOME)
    suspend_user(user=person.user)
    enter(client, PASSWORD, HOME)
    enter(client, "secret words", STRANGER, "nobody@example.test")
    expected = [
        ("API", "SUCCEEDED", HOME),
        ("BACK_OFFICE", "WRONG", HOME),
        ("API", "SHUT_OUT", HOME),
        ("API", "WRONG", STRANGER),
    ]
    assert history() == expected
    assert [row.user for row in LoginAttempt.objects.order_by("id")] == [
        person.user, staff, person.user, None,
    ]  # fmt: skip

    for _ in range(LIMIT + 5):
        enter(client, "secret words", STRANGER, "nobody@example.test")
    assert history()[4:] == [("API", "WRONG", STRANGER)] * 9 + [("API", "LOCKED", STRANGER)]
    (line,) = [one for one in caplog.messages if one.startswith("login locked")]
    locked = LoginAttempt.objects.latest("id")
    assert line == f"login locked: attempt={locked.pk} user=- address={locked.address_id}"
    for raw in ("nobody@example.test", "secret words", STRANGER):
        assert raw not in caplog.text


def test_the_history_is_read_only_and_addresses_can_be_erased(client: Client, staff: User) -> None:
    register()
    enter(client, PASSWORD, HOME)
    client.force_login(staff)
    attempt, address = LoginAttempt.objects.get(), NetworkAddress.objects.get()
    for model, row in (("loginattempt", attempt), ("networkaddress", address)):
        assert client.get(reverse(f"admin:brokers_{model}_changelist")).status_code == 200
        change = reverse(f"admin:brokers_{model}_change", args=[row.pk])
        assert client.get(change).status_code == 200
        assert client.post(change, {"outcome": "WRONG"}).status_code == 403
        assert client.get(reverse(f"admin:brokers_{model}_add")).status_code == 403
    delete = reverse("admin:brokers_loginattempt_delete", args=[attempt.pk])
    assert client.post(delete, {"post": "yes"}).status_code == 403

    erase = reverse("admin:brokers_networkaddress_delete", args=[address.pk])
    assert client.post(erase, {"post": "yes"}).status_code == 302

    assert history() == [("API", "SUCCEEDED", "")]
    assert not NetworkAddress.objects.exists()


def test_old_history_is_forgotten(client: Client) -> None:
    register()
    enter(client, PASSWORD, HOME)
    enter(client, PASSWORD, STRANGER)
    long_ago = timezone.now() - timedelta(days=91)
    NetworkAddress.objects.update(first_seen_at=long_ago)
    LoginAttempt.objects.filter(address__address=HOME).update(at=long_ago)

    assert purge_login_attempts() == 1

    assert history() == [("API", "SUCCEEDED", STRANGER)]
    assert [row.address for row in NetworkAddress.objects.all()] == [STRANGER]


# --- hashing --------------------------------------------------------------------------------------


@pytest.fixture
def seats(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real hashers, one password at a time, three waiting for a moment."""
    settings.PASSWORD_HASHERS = ["brokers.hashers.BoundedArgon2", "brokers.hashers.BoundedPBKDF2"]
    settings.PASSWORD_HASHES_AT_ONCE = 1
    monkeypatch.setattr(hashers, "_seats", None)
    monkeypatch.setattr(hashers, "WAIT_SECONDS", 0.05)


@pytest.mark.parametrize("algorithm", ["argon2", "pbkdf2_sha256"])
def test_passwords_are_hashed_and_checked(seats: None, algorithm: str) -> None:
    user = User(password=make_password("words", hasher=algorithm))
    assert user.password.startswith(f"{algorithm}$")
    assert [user.check_password(one) for one in ("other", "words")] == [False, True]


@pytest.mark.parametrize("algorithm", ["argon2", "pbkdf2_sha256"])
def test_no_more_passwords_are_hashed_at_a_time_than_there_are_seats(
    seats: None, algorithm: str, client: Client
) -> None:
    person = register()
    User.objects.filter(pk=person.user.pk).update(password=make_password(PASSWORD, None, algorithm))
    before = User.objects.get(pk=person.user.pk).password
    with hashers.hashing_seat():
        for attempt in (
            lambda: make_password("words", hasher=algorithm),
            lambda: log_in(email=person.user.email, password=PASSWORD),
        ):
            with pytest.raises(PasswordsBusy):
                attempt()
        answer = enter(client, PASSWORD, HOME)
        assert (answer.status_code, answer.json()["code"]) == (503, "passwords_busy")
        assert answer["Retry-After"] == "1"
    assert User.objects.get(pk=person.user.pk).password == before
    assert history() == []
    assert enter(client, PASSWORD, HOME).status_code == 200


def test_few_wait_for_a_seat_and_others_are_told_at_once(
    seats: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashers, "WAIT_SECONDS", 30.0)
    done: list[str] = []
    with hashers.hashing_seat():
        waiting = [
            threading.Thread(target=lambda: done.append(make_password("words"))) for _ in range(3)
        ]
        for thread in waiting:
            thread.start()
        while hashers._get_seats().present._value:  # type: ignore[attr-defined]
            threading.Event().wait(0.01)
        with pytest.raises(PasswordsBusy):
            make_password("words")
    for thread in waiting:
        thread.join()
    assert len(done) == 3
