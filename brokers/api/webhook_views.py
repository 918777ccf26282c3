"""Webhook endpoints and deliveries under `/api/v1/`: parse, permit, call, answer."""

from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from brokers.api import schema
from brokers.api.callers import caller_of
from brokers.api.documents import webhook_delivery_document, webhook_endpoint_document
from brokers.api.queries import DeliveriesQuery
from brokers.errors import OtherAccount
from brokers.models import Scope, WebhookEndpoint
from brokers.selectors import (
    get_webhook_delivery,
    get_webhook_endpoint,
    list_webhook_deliveries,
    list_webhook_endpoints,
)
from brokers.services import (
    create_webhook_endpoint,
    deactivate_webhook_endpoint,
    replay_webhook_delivery,
    update_webhook_endpoint,
)
from common.api.fields import FieldReader
from common.api.idempotency import idempotent
from common.api.pagination import fetch_page, list_page, read_page_request
from common.api.views import ApiView

_FORMATS = WebhookEndpoint.PayloadFormat.values
_READ_OR_ADMIN = {
    "GET": Scope.READ.value,
    "POST": Scope.ADMIN.value,
    "PATCH": Scope.ADMIN.value,
    "DELETE": Scope.ADMIN.value,
}


def _broker_of(request: Request) -> UUID:
    """The caller's broker. Webhooks tell of all its accounts, so a bound key has none.

    Raises:
        OtherAccount: the key is bound to one account.
    """
    principal = caller_of(request)
    if principal.account_id is not None:
        raise OtherAccount("Webhooks belong to the broker; this key is bound to one account.")
    return principal.own_broker_id


class WebhookEndpointsView(ApiView):
    """`webhook-endpoints`: list them, add one."""

    required_scope = _READ_OR_ADMIN

    @schema.list_webhook_endpoints
    def get(self, request: Request) -> Response:
        endpoints = list_webhook_endpoints(broker_id=_broker_of(request))
        return Response(list_page(request, endpoints, webhook_endpoint_document, id_type=UUID))

    @schema.create_webhook_endpoint
    @idempotent
    def post(self, request: Request) -> Response:
        reader = FieldReader.of_body(request.data)
        url = reader.text("url", max_length=500)
        payload_format = reader.optional_choice("payload_format", _FORMATS, any_case=True)
        reader.finish()
        endpoint = create_webhook_endpoint(
            broker_id=_broker_of(request),
            url=url,
            payload_format=payload_format or WebhookEndpoint.PayloadFormat.CLASSIC,
        )
        return Response(webhook_endpoint_document(endpoint), status=201)


class WebhookEndpointView(ApiView):
    """`webhook-endpoints/{id}`: show, change, switch off."""

    required_scope = _READ_OR_ADMIN

    @schema.get_webhook_endpoint
    def get(self, request: Request, endpoint_id: UUID) -> Response:
        endpoint = get_webhook_endpoint(broker_id=_broker_of(request), endpoint_id=endpoint_id)
        return Response(webhook_endpoint_document(endpoint))

    @schema.update_webhook_endpoint
    @idempotent
    def patch(self, request: Request, endpoint_id: UUID) -> Response:
        reader = FieldReader.of_body(request.data)
        url = reader.optional_text("url", max_length=500)
        is_active = reader.optional_boolean("is_active")
        payload_format = reader.optional_choice("payload_format", _FORMATS, any_case=True)
        reader.finish()
        endpoint = get_webhook_endpoint(broker_id=_broker_of(request), endpoint_id=endpoint_id)
        update_webhook_endpoint(
            endpoint=endpoint, url=url, is_active=is_active, payload_format=payload_format
        )
        return Response(webhook_endpoint_document(endpoint))

    @schema.delete_webhook_endpoint
    def delete(self, request: Request, endpoint_id: UUID) -> Response:
        endpoint = get_webhook_endpoint(broker_id=_broker_of(request), endpoint_id=endpoint_id)
        deactivate_webhook_endpoint(endpoint=endpoint)
        return Response(status=204)


class WebhookDeliveriesView(ApiView):
    """`webhook-deliveries`: list them."""

    required_scope = {"GET": Scope.READ.value}

    @schema.list_webhook_deliveries
    def get(self, request: Request) -> Response:
        reader = FieldReader.of_query(request.query_params)
        filters = reader.struct(DeliveriesQuery)
        wanted = read_page_request(reader, int)
        reader.finish()
        deliveries = list_webhook_deliveries(
            broker_id=_broker_of(request),
            endpoint_id=filters.endpoint_id,
            status=filters.status,
            event=filters.event,
        )
        page = fetch_page(deliveries, wanted)
        return Response(page.document(request, webhook_delivery_document))


class ReplayWebhookDeliveryView(ApiView):
    """`webhook-deliveries/{id}/replay`."""

    required_scope = {"POST": Scope.ADMIN.value}

    @schema.replay_webhook_delivery
    @idempotent
    def post(self, request: Request, delivery_id: int) -> Response:
        delivery = get_webhook_delivery(broker_id=_broker_of(request), delivery_id=delivery_id)
        replay_webhook_delivery(delivery=delivery)
        return Response(webhook_delivery_document(delivery), status=202)
