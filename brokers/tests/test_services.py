"""Brokers, accounts and people through their services, also many at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections

from brokers.errors import (
    AccountExists,
    AccountNotFound,
    BrokerNotFound,
    EmailTaken,
    OtherAccount,
    WebhookUrlRefused,
)
from brokers.models import ApiKey, Broker, TradingAccount, User, WebhookEndpoint
from brokers.selectors import get_account
from brokers.services import (
    activate_account,
    create_account,
    create_api_key,
    create_user,
    find_or_create_account,
    get_or_create_account_id,
    register_broker,
    suspend_account,
)
from brokers.tests.factories import AccountFactory, BrokerFactory, UserFactory
from common.errors import ValidationFailed

pytestmark = pytest.mark.django_db


@pytest.mark.django_db(transaction=True)
def test_twenty_first_orders_of_a_client_open_one_account() -> None:
    broker = BrokerFactory.create()
    ready = threading.Barrier(20)

    def find(_: int) -> int:
        try:
            ready.wait()
            return find_or_create_account(broker_id=broker.id, document_number="77").id
        finally:
            connections.close_all()

    with ThreadPoolExecutor(20) as pool:
        found = set(pool.map(find, range(20)))
    assert found == {TradingAccount.objects.get().id}


def test_an_account_gets_its_brokers_defaults() -> None:
    broker = BrokerFactory.create(default_funding="PREFUNDED", default_credit_limit=Decimal("9.5"))
    account = find_or_create_account(broker_id=broker.id, document_number="77")
    assert (account.broker_id, account.document_number, account.status) == (
        broker.id,
        "77",
        "ACTIVE",
    )
    assert (account.funding, account.credit_limit) == ("PREFUNDED", Decimal("9.5"))
    assert account.created_at == account.updated_at


def test_accounts_of_the_same_client_at_two_brokers_differ() -> None:
    one, other = BrokerFactory.create(), BrokerFactory.create()
    first = find_or_create_account(broker_id=one.id, document_number="77")
    second = find_or_create_account(broker_id=other.id, document_number="77")
    assert first.id != second.id
    assert find_or_create_account(broker_id=one.id, document_number="77") == first


def test_a_known_account_id_costs_no_query(django_assert_num_queries: Any) -> None:
    broker = BrokerFactory.create()
    account_id = get_or_create_account_id(broker_id=broker.id, document_number="77")
    with django_assert_num_queries(0):
        assert get_or_create_account_id(broker_id=broker.id, document_number="77") == account_id


def test_accounts_of_a_broker_are_read_together(django_assert_num_queries: Any) -> None:
    first = AccountFactory.create()
    others = AccountFactory.create_batch(3, broker=first.broker)
    with django_assert_num_queries(1):
        for account in (first, *others):
            found = get_or_create_account_id(
                broker_id=account.broker_id, document_number=account.document_number
            )
            assert found == account.id
    opened_elsewhere = AccountFactory.create(broker=first.broker)
    with django_assert_num_queries(1):
        found = get_or_create_account_id(
            broker_id=first.broker_id, document_number=opened_elsewhere.document_number
        )
    assert found == opened_elsewhere.id


def test_there_is_no_account_without_a_broker() -> None:
    for open_account in (find_or_create_account, create_account):
        with pytest.raises(BrokerNotFound):
            open_account(broker_id=uuid4(), document_number="77")
    assert not TradingAccount.objects.exists()


def test_an_account_is_created_once() -> None:
    account = AccountFactory.create()
    with pytest.raises(AccountExists):
        create_account(broker_id=account.broker_id, document_number=account.document_number)
    assert TradingAccount.objects.count() == 1


def test_an_account_may_differ_from_its_brokers_defaults() -> None:
    broker = BrokerFactory.create()
    account = create_account(
        broker_id=broker.id,
        document_number="77",
        funding="PREFUNDED",
        credit_limit=Decimal(0),
    )
    account.refresh_from_db()
    assert (account.funding, account.credit_limit) == ("PREFUNDED", 0)


def test_an_account_is_suspended_and_activated() -> None:
    account = AccountFactory.create()
    suspend_account(account=account)
    account.refresh_from_db()
    assert account.status == "SUSPENDED"
    activate_account(account=account)
    account.refresh_from_db()
    assert account.status == "ACTIVE"


@pytest.mark.parametrize("account_id", [0, -1, 2**63, 10**30])
def test_ids_that_no_account_has(account_id: int) -> None:
    with pytest.raises(AccountNotFound):
        get_account(account_id)


def test_a_registration_with_a_bad_webhook_leaves_nothing(settings: Any) -> None:
    settings.WEBHOOK_ALLOW_PRIVATE = False
    with pytest.raises(WebhookUrlRefused) as raised:
        register_broker(name="North", webhook_url="http://10.0.0.1/")
    assert [error.field for error in raised.value.errors] == ["webhook_url"]
    assert not Broker.objects.exists()
    assert not ApiKey.objects.exists()
    assert not WebhookEndpoint.objects.exists()


def test_a_key_is_not_bound_to_another_brokers_account() -> None:
    broker, other = BrokerFactory.create(), AccountFactory.create()
    with pytest.raises(OtherAccount):
        create_api_key(broker_id=broker.id, scopes=["read"], account_id=other.id)
    assert not ApiKey.objects.filter(broker=broker, account__isnull=False).exists()


def test_a_given_secret_is_taken_as_it_is() -> None:
    created = create_api_key(
        broker_id=BrokerFactory.create().id, scopes=["read"], secret="test-api-key-123"
    )
    assert (created.secret, created.api_key.prefix) == ("test-api-key-123", "test-api-key")


def test_a_person_is_made_with_a_hashed_password() -> None:
    user = create_user(email="Ada@Example.test", password="a-long-test-password")
    user.refresh_from_db()
    assert user.email == "Ada@example.test"
    assert user.check_password("a-long-test-password")
    assert not (user.is_staff or user.is_superuser)


def test_an_email_address_is_taken_in_any_case() -> None:
    UserFactory.create(email="ada@example.test")
    with pytest.raises(EmailTaken):
        create_user(email="ADA@example.test", password="a-long-test-password")
    assert User.objects.count() == 1


@pytest.mark.parametrize("password", ["short", "12345678901", "password", "ada@example.test"])
def test_a_weak_password_is_refused(password: str) -> None:
    with pytest.raises(ValidationFailed) as raised:
        create_user(email="ada@example.test", password=password)
    assert {error.field for error in raised.value.errors} == {"password"}
    assert not User.objects.exists()
