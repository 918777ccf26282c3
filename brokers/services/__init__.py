"""Writes of the brokers app, one function per use case."""

from brokers.services.access import authenticate_token
from brokers.services.accounts import (
    create_account,
    find_or_create_account,
    get_or_create_account_id,
)
from brokers.services.authentication import authenticate_key
from brokers.services.brokers import RegisteredBroker, register_broker, store_broker
from brokers.services.keys import (
    CreatedKey,
    approve_api_key,
    create_api_key,
    revoke_api_key,
    rotate_api_key,
)
from brokers.services.logins import log_in
from brokers.services.passwords import change_password, reset_password, verify_email
from brokers.services.people import (
    RegisteredPerson,
    activate_user,
    close_user,
    create_user,
    register_person,
    rename_user,
    suspend_user,
)
from brokers.services.stops import (
    activate_account,
    activate_broker,
    close_account,
    suspend_account,
    suspend_broker,
)
from brokers.services.tokens import TokenPair, log_out, refresh_tokens
from brokers.services.webhooks import (
    create_webhook_endpoint,
    deactivate_webhook_endpoint,
    replay_webhook_delivery,
    update_webhook_endpoint,
)

__all__ = [
    "CreatedKey",
    "RegisteredBroker",
    "RegisteredPerson",
    "TokenPair",
    "activate_account",
    "activate_broker",
    "activate_user",
    "approve_api_key",
    "authenticate_key",
    "authenticate_token",
    "change_password",
    "close_account",
    "close_user",
    "create_account",
    "create_api_key",
    "create_user",
    "create_webhook_endpoint",
    "deactivate_webhook_endpoint",
    "find_or_create_account",
    "get_or_create_account_id",
    "log_in",
    "log_out",
    "refresh_tokens",
    "register_broker",
    "register_person",
    "rename_user",
    "replay_webhook_delivery",
    "reset_password",
    "revoke_api_key",
    "rotate_api_key",
    "store_broker",
    "suspend_account",
    "suspend_broker",
    "suspend_user",
    "update_webhook_endpoint",
    "verify_email",
]
