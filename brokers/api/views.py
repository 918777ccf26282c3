"""Brokers, keys and accounts under `/api/v1/`: parse, permit, call, answer."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from brokers.api import schema
from brokers.api.callers import caller_of
from brokers.api.documents import account_document, api_key_document, broker_document
from brokers.api.permissions import ADMIN_OR_PERSON, VENUE_ADMIN, check_account_visible
from brokers.api.queries import AccountsQuery
from brokers.errors import OtherAccount
from brokers.models import ApiKey, Funding, Scope, default_scopes
from brokers.selectors import (
    get_account,
    get_api_key,
    get_broker,
    list_accounts,
    list_api_keys,
)
from brokers.services import (
    CreatedKey,
    create_account,
    create_api_key,
    register_broker,
    revoke_api_key,
    rotate_api_key,
)
from brokers.services.keys import BROKER_SCOPES, OVERLAP_SECONDS_MAX
from brokers.types import CREDIT_MAX
from common.api.fields import FieldReader
from common.api.idempotency import done_once, idempotent
from common.api.pagination import fetch_page, list_page, read_page_request
from common.api.views import ApiView

_ZERO = Decimal(0)


def _created_key_document(created: CreatedKey) -> dict[str, Any]:
    return {**api_key_document(created.api_key), "key": created.secret}


class BrokersView(ApiView):
    """`brokers`: take one in."""

    required_scope = {"POST": VENUE_ADMIN}

    @schema.register_broker
    @done_once
    def post(self, request: Request) -> Response:
        reader = FieldReader.of_body(request.data)
        name = reader.text("name", max_length=100)
        webhook_url = reader.optional_text("webhook_url", max_length=500)
        funding = reader.optional_choice("default_funding", Funding.values)
        limit = reader.optional_decimal("default_credit_limit", minimum=_ZERO, maximum=CREDIT_MAX)
        scopes = reader.optional_choices("scopes", Scope.values)
        reader.finish()
        registered = register_broker(
            name=name,
            webhook_url=webhook_url,
            default_funding=funding or Funding.CREDIT,
            default_credit_limit=limit,
            scopes=scopes or BROKER_SCOPES,
        )
        key = CreatedKey(registered.api_key, registered.secret)
        document = broker_document(registered.broker)
        return Response({**document, "api_key": _created_key_document(key)}, status=201)


class OwnBrokerView(ApiView):
    """`brokers/me`."""

    required_scope = {"GET": Scope.READ.value}

    @schema.get_own_broker
    def get(self, request: Request) -> Response:
        principal = caller_of(request)
        return Response(
            {
                **broker_document(get_broker(principal.own_broker_id)),
                "key_id": principal.key_id,
                "scopes": sorted(principal.scopes),
                "account_id": principal.account_id,
            }
        )


class ApiKeysView(ApiView):
    """`api-keys`: list them, make one."""

    required_scope = ADMIN_OR_PERSON

    @schema.list_api_keys
    def get(self, request: Request) -> Response:
        principal = caller_of(request)
        keys = list_api_keys(broker_id=principal.own_broker_id, account_id=principal.account_id)
        return Response(list_page(request, keys, api_key_document, id_type=UUID))

    @schema.create_api_key
    @done_once
    def post(self, request: Request) -> Response:
        principal = caller_of(request)
        reader = FieldReader.of_body(request.data)
        name = reader.optional_text("name", max_length=100)
        scopes = reader.optional_choices("scopes", Scope.values)
        account_id = reader.optional_row_id("account_id")
        expires_at = reader.optional_instant("expires_at", after=timezone.now())
        reader.finish()
        if principal.account_id not in (None, account_id or principal.account_id):
            raise OtherAccount()
        created = create_api_key(
            broker_id=principal.own_broker_id,
            scopes=scopes or default_scopes(),
            name=name or "",
            account_id=account_id or principal.account_id,
            expires_at=expires_at,
            grantor_scopes=principal.scopes,
        )
        return Response(_created_key_document(created), status=201)


def _own_key(request: Request, key_id: UUID) -> ApiKey:
    principal = caller_of(request)
    return get_api_key(
        broker_id=principal.own_broker_id, account_id=principal.account_id, key_id=key_id
    )


class ApiKeyView(ApiView):
    """`api-keys/{id}`: end it."""

    required_scope = {"DELETE": ADMIN_OR_PERSON}
    allowed_while_suspended = True

    @schema.delete_api_key
    def delete(self, request: Request, key_id: UUID) -> Response:
        revoke_api_key(api_key=_own_key(request, key_id))
        return Response(status=204)


class RevokeApiKeyView(ApiView):
    """`api-keys/{id}/revoke`."""

    required_scope = {"POST": ADMIN_OR_PERSON}
    allowed_while_suspended = True

    @schema.revoke_api_key
    def post(self, request: Request, key_id: UUID) -> Response:
        api_key = _own_key(request, key_id)
        revoke_api_key(api_key=api_key)
        return Response(api_key_document(api_key))


class RotateApiKeyView(ApiView):
    """`api-keys/{id}/rotate`."""

    required_scope = {"POST": ADMIN_OR_PERSON}

    @schema.rotate_api_key
    @done_once
    def post(self, request: Request, key_id: UUID) -> Response:
        reader = FieldReader.of_body(request.data)
        overlap = reader.optional_integer("overlap_seconds", minimum=0, maximum=OVERLAP_SECONDS_MAX)
        reader.finish()
        principal = caller_of(request)
        created = rotate_api_key(
            api_key=_own_key(request, key_id),
            overlap_seconds=overlap or 0,
            grantor_scopes=principal.scopes,
        )
        return Response(_created_key_document(created), status=201)


class AccountsView(ApiView):
    """`accounts`: list them, open one."""

    required_scope = {"GET": Scope.READ.value, "POST": Scope.TRADE.value}

    @schema.list_accounts
    def get(self, request: Request) -> Response:
        principal = caller_of(request)
        reader = FieldReader.of_query(request.query_params)
        document_number = reader.struct(AccountsQuery).document_number
        wanted = read_page_request(reader, int)
        reader.finish()
        accounts = list_accounts(broker_id=principal.own_broker_id, account_id=principal.account_id)
        if document_number is not None:
            accounts = accounts.filter(document_number=document_number)
        return Response(fetch_page(accounts, wanted).document(request, account_document))

    @schema.create_account
    @idempotent
    def post(self, request: Request) -> Response:
        principal = caller_of(request)
        reader = FieldReader.of_body(request.data)
        document_number = reader.identifier("document_number", max_length=20)
        is_sandbox = reader.optional_boolean("is_sandbox") or False
        reader.finish()
        if principal.account_id is not None:
            raise OtherAccount()
        account = create_account(
            broker_id=principal.own_broker_id,
            document_number=document_number,
            is_sandbox=is_sandbox,
        )
        return Response(account_document(account), status=201)


class AccountView(ApiView):
    """`accounts/{id}`."""

    required_scope = {"GET": Scope.READ.value}

    @schema.get_account
    def get(self, request: Request, account_id: int) -> Response:
        account = get_account(account_id)
        check_account_visible(
            caller_of(request), broker_id=account.broker_id, account_id=account.id
        )
        return Response(account_document(account))
