"""Cancel orders. The engine decides, after what is before the cancel in its stream."""

from collections.abc import Sequence
from uuid import UUID

from django.conf import settings

from brokers.types import Principal
from common.ids import new_uuid, shard_of
from orders import gateway
from orders.commands import AnyOutcome, CancelOrder, CommandOutcome
from orders.errors import EngineFailed
from orders.selectors.orders import find_shard_of_order, list_open_orders
from orders.services.accounts import get_broker_id
from orders.types import Result

# Cancels that are sent together and awaited together.
_CHUNK = 500


def cancel_order(*, principal: Principal, order_id: UUID) -> Result:
    """Cancel an order of the principal's, if it is open: says what became of it.

    Without a deadline: a cancel that waited is still carried out. Also orders that web does not
    find are asked for, since a cancel may overtake its order's commit.

    Raises:
        EngineUnavailable, VenueBusy, EngineFailed: nothing was done.
        OutcomeUnknown: sent, outcome not known.
    """
    shard = shard_of(order_id)
    if shard >= settings.ENGINE_SHARDS:
        shard %= settings.ENGINE_SHARDS
    result = _cancel(principal, order_id, shard)
    if result == Result.UNKNOWN_ORDER:
        # Its instrument may have moved to another shard since, or its id carries none.
        stored_shard = find_shard_of_order(order_id)
        if stored_shard is not None and stored_shard != shard:
            return _cancel(principal, order_id, stored_shard)
    return result


def cancel_all_orders(
    *, principal: Principal, symbol: str | None = None, account_id: int | None = None
) -> dict[UUID, Result | None]:
    """Cancel the principal's open orders; what became of each, None where it is not known yet.

    Raises:
        EngineUnavailable, VenueBusy: nothing more was done.
    """
    open_orders = list_open_orders(principal=principal, symbol=symbol, account_id=account_id)
    results: dict[UUID, Result | None] = {}
    for start in range(0, len(open_orders), _CHUNK):
        results.update(_cancel_together(principal, open_orders[start : start + _CHUNK]))
    return results


def _cancel(principal: Principal, order_id: UUID, shard: int) -> Result:
    outcome = gateway.submit(
        _command(principal, order_id), shard, timeout=settings.ORDER_WINDOW_SECONDS
    )
    return _result_of(outcome)


def _cancel_together(
    principal: Principal, orders: Sequence[tuple[UUID, int]]
) -> dict[UUID, Result | None]:
    commands = [(_command(principal, order_id), shard) for order_id, shard in orders]
    outcomes = gateway.submit_all(commands, timeout=settings.ORDER_WINDOW_SECONDS)
    return {
        order_id: None if outcome is None else _result_of(outcome)
        for (order_id, _), outcome in zip(orders, outcomes, strict=True)
    }


def _command(principal: Principal, order_id: UUID) -> CancelOrder:
    return CancelOrder(
        command_id=new_uuid().bytes,
        reply_to="",
        order_id=order_id.bytes,
        broker_id=get_broker_id(principal).bytes,
        account_id=principal.account_id,
    )


def _result_of(outcome: AnyOutcome) -> Result:
    if isinstance(outcome, CommandOutcome):
        return Result(outcome.result)
    raise EngineFailed
