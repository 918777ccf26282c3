"""Writes of the brokers app, one function per use case."""

from brokers.services.accounts import (
    activate_account,
    create_account,
    find_or_create_account,
    get_or_create_account_id,
    suspend_account,
)
from brokers.services.authentication import authenticate_key
from brokers.services.brokers import (
    RegisteredBroker,
    activate_broker,
    register_broker,
    suspend_broker,
)
from brokers.services.keys import CreatedKey, create_api_key, revoke_api_key, rotate_api_key
from brokers.services.people import create_user
from brokers.services.webhooks import (
    create_webhook_endpoint,
    deactivate_webhook_endpoint,
    replay_webhook_delivery,
    update_webhook_endpoint,
)

__all__ = [
    "CreatedKey",
    "RegisteredBroker",
    "activate_account",
    "activate_broker",
    "authenticate_key",
    "create_account",
    "create_api_key",
    "create_user",
    "create_webhook_endpoint",
    "deactivate_webhook_endpoint",
    "find_or_create_account",
    "get_or_create_account_id",
    "register_broker",
    "replay_webhook_delivery",
    "revoke_api_key",
    "rotate_api_key",
    "suspend_account",
    "suspend_broker",
    "update_webhook_endpoint",
]
