"""The query strings of accounts and webhooks under `/api/v1/`."""

from typing import Annotated
from uuid import UUID

from msgspec import Meta

from brokers.selectors import DELIVERY_STATUSES
from common.api.declarations import Request, identifier_of, one_of


class AccountsQuery(Request, frozen=True):
    """Which accounts a list shows."""

    document_number: Annotated[
        Annotated[str, identifier_of(20)] | None, Meta(description="Only the client's.")
    ] = None


class DeliveriesQuery(Request, frozen=True):
    """Which deliveries a list shows."""

    status: Annotated[str, one_of("DeliveryStatus", DELIVERY_STATUSES.keys())] | None = None
    event: Annotated[
        Annotated[str, Meta(max_length=40)] | None, Meta(description="Only of this event.")
    ] = None
    endpoint_id: Annotated[UUID | None, Meta(description="Only to this endpoint.")] = None
