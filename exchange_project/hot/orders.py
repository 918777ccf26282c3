"""Placing and canceling on the event loop: the steps of the services, with the gateway awaited."""

from collections.abc import Callable
from uuid import UUID

from django.conf import settings

from brokers.types import Principal
from exchange_project.hot.threads import run_cached, run_in_thread
from orders.commands import OrderOutcome
from orders.gateway.process import get_link
from orders.services.cancel import (
    NOT_OWN,
    cancel_order,
    prepare_cancel,
    read_result,
    retry_elsewhere,
)
from orders.services.place import NOT_SENT, PreparedOrder, find_repeated, read_outcome
from orders.types import PlacedOrder, Result


async def place(prepare: Callable[[], PreparedOrder]) -> PlacedOrder:
    """Place what `prepare` prepares. Raises as `orders.services.place.place_order`."""
    prepared = await run_cached(prepare)
    try:
        prepared.check_still_valid()
        outcome = await get_link().submit(
            prepared.command,
            prepared.instrument.shard,
            timeout=settings.ORDER_WINDOW_SECONDS,
            caller=prepared.caller,
        )
    except NOT_SENT:
        if not prepared.has_key:
            raise
        first = await run_in_thread(lambda: find_repeated(prepared))
        if first is None:
            raise
        return first
    if isinstance(outcome, OrderOutcome):
        return read_outcome(prepared, outcome)
    return await run_in_thread(lambda: read_outcome(prepared, outcome))


async def cancel(principal: Principal, order_id: UUID) -> Result:
    """Cancel an order. Returns and raises as `orders.services.cancel.cancel_order`."""
    prepared = prepare_cancel(principal, order_id)
    if prepared is None:
        return await run_in_thread(lambda: cancel_order(principal=principal, order_id=order_id))
    command, shard = prepared
    outcome = await get_link().submit(command, shard, timeout=settings.ORDER_WINDOW_SECONDS)
    result = read_result(outcome)
    if result in NOT_OWN:
        return await run_in_thread(lambda: retry_elsewhere(command, shard, result))
    return result
