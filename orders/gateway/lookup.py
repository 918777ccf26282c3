"""What the database knows about commands whose replies did not come."""

import logging
from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_
from uuid import UUID

from django.db import DatabaseError, InterfaceError, connection
from django.db.models import Q

from orders.commands import (
    CLIENT_ORDER_ID_TAKEN,
    REQUEST_KEY_REUSED,
    AnyCommand,
    AnyOutcome,
    CommandOutcome,
    DuplicateOutcome,
    ErrorOutcome,
    PlaceOrder,
)
from orders.models import EngineCommand, Order, OrderKey, RequestKey

logger = logging.getLogger(__name__)


def find_outcomes(commands: Sequence[AnyCommand]) -> dict[bytes, AnyOutcome]:
    """The committed outcomes of those commands that are done, by command id.

    A placed order is answered as `DuplicateOutcome`: it is there, look it up. A database that does
    not answer knows nothing at the moment.
    """
    try:
        found: dict[bytes, AnyOutcome] = {}
        for outcome in (*_find_orders(commands), *_find_results(commands)):
            found.setdefault(outcome.command_id, outcome)
        return found
    except (DatabaseError, InterfaceError) as error:
        logger.warning("No outcome can be looked up: %s", error)
        connection.close_if_unusable_or_obsolete()
        return {}


def _find_orders(commands: Iterable[AnyCommand]) -> Iterable[AnyOutcome]:
    """Of orders, the surest first: that it is there itself, then its keys."""
    placed = [command for command in commands if isinstance(command, PlaceOrder)]
    if not placed:
        return
    ids = {command.command_id for command in placed}
    for order_id in Order.objects.filter(id__in=[UUID(bytes=i) for i in ids]).values_list(
        "id", flat=True
    ):
        yield DuplicateOutcome(order_id.bytes, order_id.bytes)
    yield from _find_by_request_key(placed)
    keyed = {(c.account_id, c.client_order_id): c for c in placed if c.client_order_id}
    if not keyed:
        return
    claims = reduce(or_, (Q(account_id=a, client_order_id=k) for a, k in keyed))
    for claim in OrderKey.objects.filter(claims):
        command = keyed[claim.account_id, claim.client_order_id]
        if command.request_key is None:
            yield DuplicateOutcome(command.command_id, claim.order_id.bytes)
        else:
            yield ErrorOutcome(command.command_id, CLIENT_ORDER_ID_TAKEN)


def _find_by_request_key(placed: Iterable[PlaceOrder]) -> Iterable[AnyOutcome]:
    keyed = {UUID(bytes=c.request_key): c for c in placed if c.request_key is not None}
    for claim in RequestKey.objects.filter(key__in=keyed):
        command = keyed[claim.key]
        if claim.fingerprint.bytes == command.request_fingerprint:
            yield DuplicateOutcome(command.command_id, claim.order_id.bytes, is_replay=True)
        else:
            yield ErrorOutcome(command.command_id, REQUEST_KEY_REUSED)


def _find_results(commands: Iterable[AnyCommand]) -> Iterable[AnyOutcome]:
    ids = [UUID(bytes=c.command_id) for c in commands if not isinstance(c, PlaceOrder)]
    if not ids:
        return
    for command in EngineCommand.objects.filter(id__in=ids):
        yield CommandOutcome(command.id.bytes, command.result)
