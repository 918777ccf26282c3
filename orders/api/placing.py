"""From a request for an order to the order: what both HTTP lanes share."""

from brokers.types import Principal
from marketdata.services import list_symbol
from orders.api.reading import OrderRequest
from orders.services.place import PreparedOrder, prepare_order


def prepare_requested_order(*, principal: Principal, request: OrderRequest) -> PreparedOrder:
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
    )
