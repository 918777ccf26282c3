"""Brokers, people, accounts, keys and webhooks in the back office."""

from brokers.admin.brokers import BrokerAdmin, MembershipAdmin, TradingAccountAdmin
from brokers.admin.keys import ApiKeyAdmin
from brokers.admin.people import GroupAdmin, UserAdmin
from brokers.admin.webhooks import WebhookDeliveryAdmin, WebhookEndpointAdmin

__all__ = [
    "ApiKeyAdmin",
    "BrokerAdmin",
    "GroupAdmin",
    "MembershipAdmin",
    "TradingAccountAdmin",
    "UserAdmin",
    "WebhookDeliveryAdmin",
    "WebhookEndpointAdmin",
]
