"""Rows of the brokers app as the API shows them."""

from typing import Any

from brokers.models import ApiKey, Broker, TradingAccount, WebhookDelivery, WebhookEndpoint
from brokers.selectors import delivery_status


def broker_document(broker: Broker) -> dict[str, Any]:
    return {
        "id": broker.id,
        "name": broker.name,
        "status": broker.status,
        "default_funding": broker.default_funding,
        "default_credit_limit": broker.default_credit_limit,
        "created_at": broker.created_at,
    }


def api_key_document(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "prefix": key.prefix,
        "scopes": key.scopes,
        "account_id": key.account_id,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
    }


def account_document(account: TradingAccount) -> dict[str, Any]:
    return {
        "id": account.id,
        "document_number": account.document_number,
        "funding": account.funding,
        "credit_limit": account.credit_limit,
        "status": account.status,
        "created_at": account.created_at,
    }


def webhook_endpoint_document(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "is_active": endpoint.is_active,
        "created_at": endpoint.created_at,
    }


def webhook_delivery_document(delivery: WebhookDelivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "endpoint_id": delivery.endpoint_id,
        "event": delivery.event,
        "status": delivery_status(delivery),
        "payload": delivery.payload,
        "attempts": delivery.attempts,
        "created_at": delivery.created_at,
        "due_at": delivery.due_at,
        "delivered_at": delivery.delivered_at,
        "last_status": delivery.last_status,
        "last_error": delivery.last_error,
    }
