"""What the database knows about commands whose replies did not come."""

import logging
from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_
from uuid import UUID

from django.db import DatabaseError, InterfaceError, connection
from django.db.models import Q

from orders.commands import AnyCommand, AnyOutcome, CommandOutcome, DuplicateOutcome, PlaceOrder
from orders.models import EngineCommand, Order, OrderKey

logger = logging.getLogger(__name__)


def find_outcomes(commands: Sequence[AnyCommand]) -> dict[bytes, AnyOutcome]:
    """The committed outcomes of those commands that are done, by command id.

    A placed order is answered as `DuplicateOutcome`: it is there, look it up. A database that does
    not answer knows nothing at the moment. Rarely needed, so the connection is not kept.
    """
    try:
        return {
            outcome.command_id: outcome
            for outcome in (*_find_orders(commands), *_find_results(commands))
        }
    except (DatabaseError, InterfaceError) as error:
        logger.warning("No outcome can be looked up: %s", error)
        return {}
    finally:
        connection.close()


def _find_orders(commands: Iterable[AnyCommand]) -> Iterable[AnyOutcome]:
    placed = [command for command in commands if isinstance(command, PlaceOrder)]
    if not placed:
        return
    ids = {command.command_id for command in placed}
    for order_id in Order.objects.filter(id__in=[UUID(bytes=i) for i in ids]).values_list(
        "id", flat=True
    ):
        yield DuplicateOutcome(order_id.bytes, order_id.bytes)
    keyed = {(c.account_id, c.client_order_id): c for c in placed if c.client_order_id}
    if not keyed:
        return
    claims = reduce(or_, (Q(account_id=a, client_order_id=k) for a, k in keyed))
    for claim in OrderKey.objects.filter(claims):
        command = keyed[claim.account_id, claim.client_order_id]
        yield DuplicateOutcome(command.command_id, claim.order_id.bytes)


def _find_results(commands: Iterable[AnyCommand]) -> Iterable[AnyOutcome]:
    ids = [UUID(bytes=c.command_id) for c in commands if not isinstance(c, PlaceOrder)]
    if not ids:
        return
    for command in EngineCommand.objects.filter(id__in=ids):
        yield CommandOutcome(command.id.bytes, command.result)
