"""Tables of people, brokers, keys, trading accounts and webhooks. No business logic."""

from brokers.models.firms import Broker, Funding, Membership, TradingAccount, TradingStop
from brokers.models.keys import ApiKey, Scope, default_scopes
from brokers.models.logins import LoginAttempt, NetworkAddress
from brokers.models.people import StaffRightsRequest, User, UserManager
from brokers.models.webhooks import WebhookDelivery, WebhookEndpoint

__all__ = [
    "ApiKey",
    "Broker",
    "Funding",
    "LoginAttempt",
    "Membership",
    "NetworkAddress",
    "Scope",
    "StaffRightsRequest",
    "TradingAccount",
    "TradingStop",
    "User",
    "UserManager",
    "WebhookDelivery",
    "WebhookEndpoint",
    "default_scopes",
]
