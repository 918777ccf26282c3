"""Brokers, people, accounts, keys and webhooks in the back office."""

from brokers.admin.brokers import (
    BrokerAdmin,
    MembershipAdmin,
    TradingAccountAdmin,
    TradingStopAdmin,
)
from brokers.admin.keys import ApiKeyAdmin
from brokers.admin.logins import LoginAttemptAdmin, NetworkAddressAdmin
from brokers.admin.people import GroupAdmin, StaffRightsRequestAdmin, UserAdmin
from brokers.admin.webhooks import WebhookDeliveryAdmin, WebhookEndpointAdmin

__all__ = [
    "ApiKeyAdmin",
    "BrokerAdmin",
    "GroupAdmin",
    "LoginAttemptAdmin",
    "MembershipAdmin",
    "NetworkAddressAdmin",
    "StaffRightsRequestAdmin",
    "TradingAccountAdmin",
    "TradingStopAdmin",
    "UserAdmin",
    "WebhookDeliveryAdmin",
    "WebhookEndpointAdmin",
]
