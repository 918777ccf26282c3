"""Keys in three header forms, their end, and what is remembered of them."""

import time
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from brokers.api.authentication import find_raw_key
from brokers.models import ApiKey
from brokers.services import (
    authenticate_key,
    authentication,
    revoke_api_key,
    rotate_api_key,
    suspend_broker,
)
from brokers.services.authentication import CACHE_SECONDS, forget_keys
from brokers.tests.factories import (
    AccountFactory,
    BrokerFactory,
    CreatedKeyFactory,
    RegisteredBrokerFactory,
)
from brokers.types import Principal
from common.caching import renew_caches
from common.errors import NotAuthenticated

pytestmark = pytest.mark.django_db


def _pretend_other_process_wrote(key_id: UUID, **changes: object) -> None:
    """Write as another process does: this one's memory is not told."""
    ApiKey.objects.filter(pk=key_id).update(**changes)


def test_a_key_is_its_principal() -> None:
    account = AccountFactory.create()
    created = CreatedKeyFactory.create(
        broker=account.broker, account_id=account.id, scopes=["read", "book"]
    )
    assert authenticate_key(created.secret) == Principal(
        key_id=created.api_key.id,
        broker_id=account.broker_id,
        broker_name=account.broker.name,
        account_id=account.id,
        scopes=frozenset({"read", "book"}),
    )


def test_only_the_hash_of_a_key_is_stored() -> None:
    created = CreatedKeyFactory.create()
    row = ApiKey.objects.values().get(pk=created.api_key.id)
    assert created.secret not in str(row)
    assert row["prefix"] == created.secret[:12]
    assert len(row["key_hash"]) == 64


def test_the_first_key_of_a_broker_may_do_what_brokers_do() -> None:
    registered = RegisteredBrokerFactory.create()
    principal = authenticate_key(registered.secret)
    assert principal.scopes == {"read", "trade", "transfer", "admin"}
    assert principal.broker_name == registered.broker.name


@pytest.mark.parametrize("raw_key", ["", "wrong", "bk_" + "x" * 43, "k" * 201, "é", "\ud800"])
def test_an_unknown_key_is_refused(raw_key: str) -> None:
    with pytest.raises(NotAuthenticated):
        authenticate_key(raw_key)


def test_a_known_key_costs_no_query(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    created = CreatedKeyFactory.create()
    with django_assert_num_queries(2):  # read, and note the use
        authenticate_key(created.secret)
    with django_assert_num_queries(0):
        authenticate_key(created.secret)


def test_an_unknown_key_costs_one_query(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(1):
        for _ in range(3):
            with pytest.raises(NotAuthenticated):
                authenticate_key("unknown")


def test_revocation_elsewhere_works_within_five_seconds() -> None:
    created = CreatedKeyFactory.create()
    authenticate_key(created.secret)
    _pretend_other_process_wrote(created.api_key.id, revoked_at=timezone.now())
    assert authenticate_key(created.secret)  # remembered
    assert CACHE_SECONDS <= 5
    time.sleep(CACHE_SECONDS + 0.1)
    with pytest.raises(NotAuthenticated):
        authenticate_key(created.secret)


def test_revocation_here_works_at_once() -> None:
    created = CreatedKeyFactory.create()
    authenticate_key(created.secret)
    revoke_api_key(api_key=created.api_key)
    with pytest.raises(NotAuthenticated):
        authenticate_key(created.secret)


def test_revoking_twice_keeps_the_first_time() -> None:
    created = CreatedKeyFactory.create()
    revoke_api_key(api_key=created.api_key)
    first = created.api_key.revoked_at
    revoke_api_key(api_key=created.api_key)
    assert created.api_key.revoked_at == first


def test_expiry_is_looked_at_on_each_use() -> None:
    created = CreatedKeyFactory.create(expires_at=timezone.now() + timedelta(seconds=0.3))
    assert authenticate_key(created.secret)
    time.sleep(0.35)
    with pytest.raises(NotAuthenticated):
        authenticate_key(created.secret)


def test_rotation_ends_the_old_key() -> None:
    old = CreatedKeyFactory.create(scopes=["read", "marks"], name="feed")
    new = rotate_api_key(api_key=old.api_key)
    with pytest.raises(NotAuthenticated):
        authenticate_key(old.secret)
    assert authenticate_key(new.secret).scopes == {"read", "marks"}
    assert new.api_key.name == "feed"


def test_rotation_with_an_overlap_keeps_both_for_a_while() -> None:
    old = CreatedKeyFactory.create()
    new = rotate_api_key(api_key=old.api_key, overlap_seconds=60)
    assert authenticate_key(old.secret).key_id == old.api_key.id
    assert authenticate_key(new.secret).key_id == new.api_key.id
    old.api_key.refresh_from_db()
    assert old.api_key.revoked_at is None
    assert old.api_key.expires_at is not None
    assert old.api_key.expires_at <= timezone.now() + timedelta(seconds=60)


def test_use_is_noted_at_most_once_a_minute() -> None:
    created = CreatedKeyFactory.create()
    authenticate_key(created.secret)
    created.api_key.refresh_from_db()
    first = created.api_key.last_used_at
    assert first is not None
    forget_keys()
    authenticate_key(created.secret)
    created.api_key.refresh_from_db()
    assert created.api_key.last_used_at == first
    _pretend_other_process_wrote(created.api_key.id, last_used_at=first - timedelta(seconds=61))
    forget_keys()
    authenticate_key(created.secret)
    created.api_key.refresh_from_db()
    assert created.api_key.last_used_at > first


def test_use_of_a_key_that_is_renewed_in_the_background_is_noted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    used, idle = CreatedKeyFactory.create(), CreatedKeyFactory.create()
    for created in (used, idle):
        authenticate_key(created.secret)
    now = time.monotonic()
    monkeypatch.setattr(authentication._known_keys, "_clock", lambda: now)
    renew_caches()
    long_ago = timezone.now() - timedelta(hours=1)
    ApiKey.objects.update(last_used_at=long_ago)
    now += CACHE_SECONDS / 2
    authenticate_key(used.secret)
    renew_caches()
    used.api_key.refresh_from_db()
    idle.api_key.refresh_from_db()
    assert used.api_key.last_used_at is not None
    assert used.api_key.last_used_at > long_ago
    assert idle.api_key.last_used_at == long_ago


def test_a_suspended_broker_is_known_as_such(django_capture_on_commit_callbacks: Any) -> None:
    registered = RegisteredBrokerFactory.create()
    assert not authenticate_key(registered.secret).is_broker_suspended
    with django_capture_on_commit_callbacks(execute=True):
        suspend_broker(broker=registered.broker)
    assert authenticate_key(registered.secret).is_broker_suspended


def test_the_venues_admin_key() -> None:
    principal = authenticate_key("tests-admin-key")
    assert principal.is_venue_admin
    assert principal.broker_id is None
    assert principal.scopes == frozenset()


def test_an_empty_admin_key_admits_nobody(settings: object) -> None:
    settings.ADMIN_API_KEY = ""  # type: ignore[attr-defined]
    with pytest.raises(NotAuthenticated):
        authenticate_key("")


@pytest.mark.parametrize(
    ("authorization", "x_api_key", "raw_key"),
    [
        ("Bearer abc", "", "abc"),
        ("bearer abc", "", "abc"),
        ("Token abc", "", "abc"),
        ("", "abc", "abc"),
        ("Bearer abc", "other", "abc"),
        ("", "", None),
        ("", "  ", None),
    ],
)
def test_header_forms(authorization: str, x_api_key: str, raw_key: str | None) -> None:
    assert find_raw_key(authorization, x_api_key) == raw_key


@pytest.mark.parametrize("authorization", ["abc", "Basic abc", "Bearer", "Bearer  "])
def test_other_header_forms_are_refused(authorization: str) -> None:
    with pytest.raises(NotAuthenticated):
        find_raw_key(authorization, "")


def test_a_key_of_another_broker_is_another_principal() -> None:
    one, other = CreatedKeyFactory.create(broker=BrokerFactory.create()), CreatedKeyFactory.create()
    assert authenticate_key(one.secret).broker_id == one.api_key.broker_id
    assert authenticate_key(other.secret).broker_id == other.api_key.broker_id
    assert one.api_key.broker_id != other.api_key.broker_id


def test_an_unknown_address_is_a_problem_document(client: Client) -> None:
    answer = client.get("/api/v1/nothing-here")
    assert answer.status_code == 404
