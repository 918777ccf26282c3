"""From a request for an order to the order: what both HTTP lanes share."""

from brokers.types import Principal
from common.request_keys import RequestKey
from marketdata.services import list_symbol
from orders.api.requests import PlaceOrderRequest
from orders.services.accounts import resolve_account
from orders.services.dealer import Quote, deal
from orders.services.place import PreparedOrder, prepare_order
from orders.services.sandbox import Trigger, find_trigger_of_request
from orders.types import PlacedOrder


def prepare_requested_order(
    *, principal: Principal, request: PlaceOrderRequest, request_key: RequestKey | None
) -> PreparedOrder:
    """Prepare what `POST orders` asked for. Raises as `prepare_order` and `list_symbol`."""
    return prepare_order(
        principal=principal,
        account_id=request.account_id,
        document_number=request.document_number,
        instrument=list_symbol(request.symbol),
        side=request.side,
        order_type=request.order_type,
        time_in_force=request.time_in_force,
        limit_price=request.limit_price,
        quantity=request.quantity,
        valid_until=request.valid_until,
        client_order_id=request.client_order_id,
        request_key=request_key,
    )


def is_dealt_instead(*, principal: Principal, request: PlaceOrderRequest) -> bool:
    """Whether a sandbox account wants the order refused, or filled in part.

    Such an order is dealt with the venue instead, since nobody can foresee a book.
    """
    trigger = find_trigger_of_request(
        principal=principal,
        account_id=request.account_id,
        document_number=request.document_number,
        client_order_id=request.client_order_id,
    )
    return trigger in (Trigger.REJECT, Trigger.PARTIAL)


def deal_instead(*, principal: Principal, request: PlaceOrderRequest, quote: Quote) -> PlacedOrder:
    """Deal at `quote` what `POST orders` asked for. Raises as `deal`."""
    account_id, _ = resolve_account(
        principal=principal,
        account_id=request.account_id,
        document_number=request.document_number,
    )
    dealt = deal(
        principal=principal,
        account_id=account_id,
        quote=quote,
        side=request.side,
        quantity=request.quantity,
        limit_price=request.limit_price,
        client_order_id=request.client_order_id,
    )
    return PlacedOrder(dealt.order, dealt.was_created)
