"""Cancel orders. The engine decides, after what is before the cancel in its stream.

Orders that no engine knows, those to be booked, are canceled by their own service.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec
from django.conf import settings

from brokers.types import Principal
from common.errors import NotFound
from common.ids import new_uuid, shard_of
from orders import gateway
from orders.commands import AnyOutcome, CancelOrder, CommandOutcome
from orders.errors import EngineFailed
from orders.models import Order
from orders.selectors.orders import (
    OwnedOrder,
    find_shard_of_order,
    list_open_orders,
    list_owned_orders,
)
from orders.services.accounts import get_broker_id
from orders.services.booked import cancel_booked_order
from orders.types import SERVICES_SHARD, Reason, Result
from oversight.services.records import record_all

# Cancels that are sent together and awaited together.
_CHUNK = 500


# What an engine answers of an order that is not the caller's, as far as it knows.
NOT_OWN = (Result.UNKNOWN_ORDER, Result.FORBIDDEN)


def cancel_order(*, principal: Principal, order_id: UUID) -> Result:
    """Cancel an order of the principal's, if it is open: says what became of it.

    Without a deadline: a cancel that waited is still carried out. Also orders that web does not
    find are asked for, since a cancel may overtake its order's commit.

    Raises:
        EngineUnavailable, VenueBusy, EngineFailed: nothing was done.
        OutcomeUnknown: sent, outcome not known.
    """
    prepared = prepare_cancel(principal, order_id)
    if prepared is None:
        return _cancel_booked(order_id, get_broker_id(principal), principal.account_id)
    command, shard = prepared
    result = read_result(_submit(command, shard))
    if result in NOT_OWN:
        return retry_elsewhere(command, shard, result)
    return result


def prepare_cancel(principal: Principal, order_id: UUID) -> tuple[CancelOrder, int] | None:
    """The command that cancels an order, and the shard that most likely has it.

    None: no engine has it, it is an order to be booked.
    """
    shard = shard_of(order_id)
    if shard == SERVICES_SHARD:
        return None
    command = _command(order_id, get_broker_id(principal), principal.account_id)
    return command, shard % settings.ENGINE_SHARDS


def read_result(outcome: AnyOutcome) -> Result:
    """What became of a cancel.

    Raises:
        EngineFailed: nothing was done.
    """
    if isinstance(outcome, CommandOutcome):
        return Result(outcome.result)
    raise EngineFailed


def retry_elsewhere(command: CancelOrder, shard: int, result: Result) -> Result:
    """Cancel an order that `shard` did not know where the database has it.

    Its instrument may have moved to another shard since, or its id carries none. The order of
    another (`result`) is looked for too, so that it takes as long as an unknown one.
    """
    stored_shard = find_shard_of_order(UUID(bytes=command.order_id))
    if result == Result.FORBIDDEN or stored_shard is None or stored_shard == shard:
        return result
    again = msgspec.structs.replace(command, command_id=new_uuid().bytes)
    return read_result(_submit(again, stored_shard))


def cancel_all_orders(
    *, principal: Principal, symbol: str | None = None, account_id: int | None = None
) -> dict[UUID, Result | None]:
    """Cancel the principal's open orders; what became of each, None where it is not known yet.

    Raises:
        EngineUnavailable, VenueBusy: nothing more was done.
    """
    return _cancel_together(
        list_open_orders(principal=principal, symbol=symbol, account_id=account_id)
    )


def cancel_orders_by_staff(
    *, order_ids: Sequence[UUID], actor: str, reason: str
) -> dict[UUID, Result | None]:
    """Cancel orders of whichever brokers, by the venue; what became of each, as above.

    The audit trail first gets that it was asked for, and then what became of it.

    Raises:
        EngineUnavailable, VenueBusy: nothing more was done.
    """
    orders = list_owned_orders(order_ids)
    asked = {one.order_id: {"reason": Reason.BY_STAFF.value} for one in orders}
    _record("order.cancel_asked", asked, reason, actor)
    results = _cancel_together(orders, Reason.BY_STAFF)
    done = {order_id: {"result": str(result or "unknown")} for order_id, result in results.items()}
    _record("order.canceled", done, reason, actor)
    return results


def _record(action: str, afters: Mapping[UUID, Mapping[str, str]], reason: str, actor: str) -> None:
    record_all(
        action=action,
        target=Order._meta.label_lower,
        afters=afters,
        reason=reason,
        actor=actor,
    )


def _submit(command: CancelOrder, shard: int) -> AnyOutcome:
    return gateway.submit(command, shard, timeout=settings.ORDER_WINDOW_SECONDS)


def _cancel_booked(
    order_id: UUID,
    broker_id: UUID,
    account_id: int | None,
    reason: Reason = Reason.BY_USER,
) -> Result:
    try:
        return cancel_booked_order(
            order_id=order_id, broker_id=broker_id, account_id=account_id, reason=reason
        )
    except NotFound:
        return Result.UNKNOWN_ORDER


def _cancel_together(
    orders: Sequence[OwnedOrder], reason: Reason = Reason.BY_USER
) -> dict[UUID, Result | None]:
    results: dict[UUID, Result | None] = {}
    booked = [order for order in orders if shard_of(order.order_id) == SERVICES_SHARD]
    for order in booked:
        results[order.order_id] = _cancel_booked(order.order_id, order.broker_id, None, reason)
    orders = [order for order in orders if order.order_id not in results]
    for start in range(0, len(orders), _CHUNK):
        chunk = orders[start : start + _CHUNK]
        commands = [(_command(o.order_id, o.broker_id, None, reason), o.shard) for o in chunk]
        outcomes = gateway.submit_all(commands, timeout=settings.ORDER_WINDOW_SECONDS)
        for order, outcome in zip(chunk, outcomes, strict=True):
            results[order.order_id] = None if outcome is None else _result_of(outcome)
    return results


def _command(
    order_id: UUID, broker_id: UUID, account_id: int | None, reason: Reason = Reason.BY_USER
) -> CancelOrder:
    return CancelOrder(
        command_id=new_uuid().bytes,
        reply_to="",
        order_id=order_id.bytes,
        broker_id=broker_id.bytes,
        account_id=account_id,
        reason=reason.value,
    )


def _result_of(outcome: AnyOutcome) -> Result:
    """One of many: what the engine could not carry out is told as refused."""
    return Result(outcome.result) if isinstance(outcome, CommandOutcome) else Result.REFUSED
