"""Rows of the brokers app as the API shows them."""

from typing import Any

from brokers.models import (
    ApiKey,
    Broker,
    TradingAccount,
    User,
    WebhookDelivery,
    WebhookEndpoint,
)
from brokers.selectors import delivery_status
from brokers.services import TokenPair


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
        "is_sandbox": account.is_sandbox,
        "created_at": account.created_at,
    }


def person_document(user: User, account: TradingAccount | None) -> dict[str, Any]:
    return {
        "id": user.id,
        "email": user.email,
        "full_name": user.full_name,
        "status": user.status,
        "email_verified_at": user.email_verified_at,
        "created_at": user.created_at,
        "account": None if account is None else account_document(account),
    }


def token_document(pair: TokenPair) -> dict[str, Any]:
    return {
        "access": pair.access,
        "refresh": pair.refresh,
        "token_type": "Bearer",
        "expires_in": pair.expires_in_seconds,
    }


def webhook_endpoint_document(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "is_active": endpoint.is_active,
        "payload_format": endpoint.payload_format,
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
