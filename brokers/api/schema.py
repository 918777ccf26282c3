"""Brokers, keys, accounts and webhooks in the OpenAPI document. The classes only describe.

The makers of operations serve `people_schema` too.
"""

from typing import Any

from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiResponse,
    inline_serializer,
)
from rest_framework import serializers

from brokers.api.queries import AccountsQuery, DeliveriesQuery
from brokers.models import Broker, Funding, Scope, TradingAccount, WebhookEndpoint
from brokers.selectors import DELIVERY_STATUSES
from brokers.services.keys import OVERLAP_SECONDS_MAX
from common.api import openapi
from common.api.pagination import PageQuery
from common.api.schema import (
    IDEMPOTENCY_KEY,
    IDEMPOTENCY_KEY_ONCE,
    page_of,
    problems,
    unkeyed,
)

_BROKERS, _ACCOUNTS, _WEBHOOKS = "brokers and keys", "accounts", "webhooks"
_SECRET_HELP = "The key itself. Shown this once."
_LIMIT_HELP = "In the venue's currency; null: unlimited."


class BrokerDocument(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.CharField(max_length=100)
    status = serializers.ChoiceField(Broker.Status.choices)
    default_funding = serializers.ChoiceField(Funding.choices)
    default_credit_limit = serializers.DecimalField(38, 8, allow_null=True, help_text=_LIMIT_HELP)
    created_at = serializers.DateTimeField()


class ApiKeyDocument(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.CharField()
    prefix = serializers.CharField(help_text="The first characters of the key.")
    scopes = serializers.ListField(child=serializers.ChoiceField(Scope.choices))
    account_id = serializers.IntegerField(allow_null=True)
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True, help_text="To the minute.")


class CreatedApiKeyDocument(ApiKeyDocument):
    key = serializers.CharField(help_text=_SECRET_HELP)


class RegisteredBrokerDocument(BrokerDocument):
    api_key = CreatedApiKeyDocument()


class OwnBrokerDocument(BrokerDocument):
    key_id = serializers.UUIDField(allow_null=True, help_text="null: a person's token.")
    scopes = serializers.ListField(child=serializers.ChoiceField(Scope.choices))
    account_id = serializers.IntegerField(allow_null=True)


class AccountDocument(serializers.Serializer):
    id = serializers.IntegerField()
    document_number = serializers.CharField(max_length=20)
    funding = serializers.ChoiceField(Funding.choices)
    credit_limit = serializers.DecimalField(38, 8, allow_null=True, help_text=_LIMIT_HELP)
    status = serializers.ChoiceField(TradingAccount.Status.choices)
    is_sandbox = serializers.BooleanField(help_text="For tests of bots.")
    created_at = serializers.DateTimeField()


class WebhookEndpointDocument(serializers.Serializer):
    id = serializers.UUIDField()
    url = serializers.URLField(max_length=500)
    is_active = serializers.BooleanField()
    payload_format = serializers.ChoiceField(
        WebhookEndpoint.PayloadFormat.choices,
        help_text="Of trades: whole cents, of instruments that trade in them alone, or decimals.",
    )
    created_at = serializers.DateTimeField()


class WebhookDeliveryDocument(serializers.Serializer):
    id = serializers.IntegerField()
    endpoint_id = serializers.UUIDField()
    event = serializers.CharField()
    status = serializers.ChoiceField(list(DELIVERY_STATUSES))
    payload = serializers.CharField(help_text="The body, as it is sent.")
    attempts = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField(allow_null=True, help_text="The next attempt.")
    delivered_at = serializers.DateTimeField(allow_null=True)
    last_status = serializers.IntegerField(allow_null=True)
    last_error = serializers.CharField(allow_blank=True)


def request_of(title: str, /, **fields: serializers.Field) -> serializers.Serializer:
    return inline_serializer(f"{title}Request", fields)


def operation(
    tag: str, operation_id: str, summary: str, responses: dict[Any, Any], **options: Any
) -> Any:
    return openapi.operation(
        tags=[tag], operation_id=operation_id, summary=summary, responses=responses, **options
    )


def example(**value: Any) -> list[OpenApiExample]:
    return [OpenApiExample("Request", value, request_only=True)]


WRITE_ERRORS = problems(400, 401, 403, 413, 415, 422, 429)
READ_ERRORS = problems(401, 403, 429)
NONE = OpenApiResponse(description="Done")

register_broker = operation(
    _BROKERS,
    "brokers_register",
    "Take a broker in, with its first key (the venue's admin key alone)",
    {201: RegisteredBrokerDocument, **WRITE_ERRORS, **problems(409)},
    parameters=[IDEMPOTENCY_KEY_ONCE],
    request=request_of(
        "RegisterBroker",
        name=serializers.CharField(max_length=100),
        webhook_url=serializers.URLField(max_length=500, required=False),
        default_funding=serializers.ChoiceField(Funding.choices, default=Funding.CREDIT),
        default_credit_limit=serializers.DecimalField(38, 8, required=False),
        scopes=serializers.ListField(
            child=serializers.ChoiceField(Scope.choices),
            required=False,
            help_text="Of the first key; `book` and `marks` are for the venue to give, here.",
        ),
    ),
    examples=example(name="North Brokers", webhook_url="https://north.example/hook"),
)
get_own_broker = operation(
    _BROKERS, "brokers_me", "The broker of the key", {200: OwnBrokerDocument, **READ_ERRORS}
)
list_api_keys = operation(
    _BROKERS,
    "api_keys_list",
    "Keys of the broker, or of a person's own account; newest first, revoked ones too",
    {200: page_of(ApiKeyDocument), **READ_ERRORS, **problems(422)},
    query=(PageQuery,),
)
create_api_key = operation(
    _BROKERS,
    "api_keys_create",
    "Make a key, with scopes that who asks has",
    {201: CreatedApiKeyDocument, **WRITE_ERRORS, **problems(409)},
    parameters=[IDEMPOTENCY_KEY_ONCE],
    request=request_of(
        "CreateApiKey",
        name=serializers.CharField(max_length=100, required=False),
        scopes=serializers.ListField(child=serializers.ChoiceField(Scope.choices), required=False),
        account_id=serializers.IntegerField(required=False, help_text="Binds the key to it."),
        expires_at=serializers.DateTimeField(required=False),
    ),
    examples=example(name="risk desk", scopes=["read"]),
)
revoke_api_key = operation(
    _BROKERS,
    "api_keys_revoke",
    "End a key, everywhere within five seconds",
    {200: ApiKeyDocument, **READ_ERRORS, **problems(404)},
    description=unkeyed("a key that is revoked stays so, and the answer is the same."),
    request=None,
)
delete_api_key = operation(
    _BROKERS,
    "api_keys_delete",
    "End a key (the same by another name)",
    {204: NONE, **READ_ERRORS, **problems(404)},
)
rotate_api_key = operation(
    _BROKERS,
    "api_keys_rotate",
    "Replace a key by a successor; the old one ends at once, or after an overlap",
    {201: CreatedApiKeyDocument, **WRITE_ERRORS, **problems(404, 409)},
    parameters=[IDEMPOTENCY_KEY_ONCE],
    request=request_of(
        "RotateApiKey",
        overlap_seconds=serializers.IntegerField(
            required=False, min_value=0, max_value=OVERLAP_SECONDS_MAX, default=0
        ),
    ),
    examples=example(overlap_seconds=3600),
)

list_accounts = operation(
    _ACCOUNTS,
    "accounts_list",
    "Accounts of the broker, newest first",
    {200: page_of(AccountDocument), **READ_ERRORS, **problems(422)},
    query=(AccountsQuery, PageQuery),
)
create_account = operation(
    _ACCOUNTS,
    "accounts_create",
    "Open an account for a client; its first order does so too",
    {201: AccountDocument, **WRITE_ERRORS, **problems(409)},
    parameters=[IDEMPOTENCY_KEY],
    request=request_of(
        "CreateAccount",
        document_number=serializers.CharField(max_length=20),
        is_sandbox=serializers.BooleanField(
            default=False, help_text="For tests of bots; for ever."
        ),
    ),
    examples=example(document_number="12345678901"),
)
get_account = operation(
    _ACCOUNTS,
    "accounts_retrieve",
    "An account",
    {200: AccountDocument, **READ_ERRORS, **problems(404)},
)

list_webhook_endpoints = operation(
    _WEBHOOKS,
    "webhook_endpoints_list",
    "Where events are delivered, newest first",
    {200: page_of(WebhookEndpointDocument), **READ_ERRORS, **problems(422)},
    query=(PageQuery,),
)
create_webhook_endpoint = operation(
    _WEBHOOKS,
    "webhook_endpoints_create",
    "Deliver events to an address too",
    {201: WebhookEndpointDocument, **WRITE_ERRORS, **problems(409)},
    parameters=[IDEMPOTENCY_KEY],
    request=request_of(
        "CreateWebhookEndpoint",
        url=serializers.URLField(max_length=500),
        payload_format=serializers.ChoiceField(
            WebhookEndpoint.PayloadFormat.choices, required=False
        ),
    ),
    examples=example(url="https://north.example/hook", payload_format="DECIMAL"),
)
get_webhook_endpoint = operation(
    _WEBHOOKS,
    "webhook_endpoints_retrieve",
    "An endpoint",
    {200: WebhookEndpointDocument, **READ_ERRORS, **problems(404)},
)
update_webhook_endpoint = operation(
    _WEBHOOKS,
    "webhook_endpoints_update",
    "Change an endpoint's address, or switch it on or off",
    {200: WebhookEndpointDocument, **WRITE_ERRORS, **problems(404, 409)},
    parameters=[IDEMPOTENCY_KEY],
    request=request_of(
        "UpdateWebhookEndpoint",
        url=serializers.URLField(max_length=500, required=False),
        is_active=serializers.BooleanField(required=False),
        payload_format=serializers.ChoiceField(
            WebhookEndpoint.PayloadFormat.choices, required=False
        ),
    ),
    examples=example(is_active=False),
)
delete_webhook_endpoint = operation(
    _WEBHOOKS,
    "webhook_endpoints_delete",
    "Switch an endpoint off; what waits for delivery is given up",
    {204: NONE, **READ_ERRORS, **problems(404)},
)
list_webhook_deliveries = operation(
    _WEBHOOKS,
    "webhook_deliveries_list",
    "Deliveries, newest first",
    {200: page_of(WebhookDeliveryDocument), **READ_ERRORS, **problems(422)},
    query=(DeliveriesQuery, PageQuery),
)
replay_webhook_delivery = operation(
    _WEBHOOKS,
    "webhook_deliveries_replay",
    "Deliver an event again",
    {202: WebhookDeliveryDocument, **READ_ERRORS, **problems(404, 409)},
    parameters=[IDEMPOTENCY_KEY],
    request=None,
)
