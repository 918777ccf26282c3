"""Brokers, keys, accounts and endpoints for tests, built through the services."""

from typing import Any

import factory

from brokers.models import Broker, TradingAccount, User, WebhookEndpoint
from brokers.services import (
    CreatedKey,
    RegisteredBroker,
    create_account,
    create_api_key,
    create_user,
    create_webhook_endpoint,
    register_broker,
)


class RegisteredBrokerFactory(factory.Factory[RegisteredBroker]):
    """A broker with its first key: `.broker`, `.api_key`, `.secret`."""

    class Meta:
        model = RegisteredBroker

    name = factory.Sequence(lambda number: f"Broker {number}")

    @classmethod
    def _create(cls, model_class: type, *args: Any, **kwargs: Any) -> RegisteredBroker:
        return register_broker(**kwargs)


class BrokerFactory(factory.Factory[Broker]):
    """A broker alone, where its key does not matter."""

    class Meta:
        model = Broker

    name = factory.Sequence(lambda number: f"Broker {number}")

    @classmethod
    def _create(cls, model_class: type, *args: Any, **kwargs: Any) -> Broker:
        return register_broker(**kwargs).broker


class AccountFactory(factory.Factory[TradingAccount]):
    """An account of `broker` (a new one by default) with the broker's funding."""

    class Meta:
        model = TradingAccount

    broker = factory.SubFactory(BrokerFactory)
    document_number = factory.Sequence(lambda number: f"{10_000_000_000 + number}")

    @classmethod
    def _create(cls, model_class: type, *args: Any, **kwargs: Any) -> TradingAccount:
        broker = kwargs.pop("broker")
        return create_account(broker_id=broker.id, **kwargs)


class CreatedKeyFactory(factory.Factory[CreatedKey]):
    """A key of `broker` (a new one by default): `.api_key`, `.secret`."""

    class Meta:
        model = CreatedKey

    broker = factory.SubFactory(BrokerFactory)
    scopes = ("read", "trade")

    @classmethod
    def _create(cls, model_class: type, *args: Any, **kwargs: Any) -> CreatedKey:
        broker = kwargs.pop("broker")
        return create_api_key(broker_id=broker.id, **kwargs)


class WebhookEndpointFactory(factory.Factory[WebhookEndpoint]):
    """An endpoint of `broker` (a new one by default)."""

    class Meta:
        model = WebhookEndpoint

    broker = factory.SubFactory(BrokerFactory)
    url = "http://receiver.test/hook"

    @classmethod
    def _create(cls, model_class: type, *args: Any, **kwargs: Any) -> WebhookEndpoint:
        broker = kwargs.pop("broker")
        return create_webhook_endpoint(broker_id=broker.id, **kwargs)


class UserFactory(factory.Factory[User]):
    """A person with a login and no rights."""

    class Meta:
        model = User

    email = factory.Sequence(lambda number: f"person{number}@example.test")
    password = "a-long-test-password"

    @classmethod
    def _create(cls, model_class: type, *args: Any, **kwargs: Any) -> User:
        return create_user(**kwargs)
