"""Row locks of the services. The order is locked first, then its account, then ledger accounts."""

from uuid import UUID

from common.errors import NotFound
from orders.models import Order


def lock_order(order_id: UUID) -> Order:
    """An order that services decide, locked until the transaction ends.

    Raises:
        NotFound: there is none of that id.
    """
    try:
        return Order.objects.select_for_update(no_key=True).get(id=order_id)
    except Order.DoesNotExist as error:
        raise NotFound("There is no such order") from error
