"""Cancels what stopped accounts and brokers have open, and closes accounts that are empty.

Who stops is `brokers.services.stops`; this is the work that it leaves. Engines refuse what arrives
from then on, and cancel a stopped account's orders that others would meet, so nothing of it trades
while the work waits for an engine.
"""

import logging
import time
from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from brokers.locks import lock_account
from brokers.models import TradingAccount, TradingStop
from brokers.services import close_account
from brokers.services.stops import STOP_NUDGE
from common.database import retry_on_conflict
from common.errors import ExchangeError
from common.ids import new_uuid, shard_of
from ledger.locks import lock_balances_of
from ledger.selectors.balances import list_balances
from margin.selectors.accounts import list_positions
from orders import gateway
from orders.commands import CancelOrder, CommandOutcome
from orders.errors import AccountNotEmpty
from orders.models import Order
from orders.services.booked import cancel_booked_order
from orders.types import SERVICES_SHARD, Reason, Result

logger = logging.getLogger(__name__)

# Orders that are canceled together.
_CHUNK = 500
# Well within CELERY_TASK_TIME_LIMIT.
_SECONDS_MAX = 60.0
# A batch that began before a broker was suspended may still commit an order of it for so long.
_SETTLED_AFTER = timedelta(seconds=15)
_OPEN = (*Order.OPEN_STATUSES, Order.Status.PENDING)


def cancel_stopped_orders() -> int:
    """Go on with every stop that has not ended, for a minute; returns how many were canceled.

    What is left, or waits for an engine, goes on with the next call. Several at once do no harm.
    """
    STOP_NUDGE.forget()
    canceled, deadline = 0, time.monotonic() + _SECONDS_MAX
    for stop in TradingStop.objects.filter(ended_at__isnull=True).order_by("id"):
        try:
            canceled += _cancel_orders_of(stop, deadline)
        except ExchangeError as error:
            logger.warning("trading stop %s waits: %s", stop.id, error)
    return canceled


@retry_on_conflict
@transaction.atomic
def close_empty_account(*, account: TradingAccount, actor: str) -> None:
    """Close an account for good that has neither money nor positions; its orders are canceled.

    Raises:
        AccountClosed: it is closed already.
        AccountNotEmpty: something is on it. Nothing is changed.
    """
    lock_account(account.id)
    lock_balances_of(account.id)
    balances = [one for one in list_balances(account.id) if one.posted_balance or one.held_amount]
    positions = [one for one in list_positions(account.id) if one.exposure.quantity]
    if balances or positions:
        raise AccountNotEmpty(
            account_id=account.id,
            assets=sorted({one.asset for one in balances}),
            symbols=sorted(one.symbol for one in positions),
        )
    close_account(account=account, actor=actor)


def _cancel_orders_of(stop: TradingStop, deadline: float) -> int:
    """Cancel chunk after chunk while that gets on; ends the stop once nothing is left."""
    total = 0
    while True:
        orders = list(_open_orders_of(stop).select_related("instrument").order_by("id")[:_CHUNK])
        canceled = _cancel(orders, Reason(stop.reason)) if orders else 0
        total += canceled
        _note_progress(stop, canceled)
        if not canceled or time.monotonic() >= deadline:
            return total


def _note_progress(stop: TradingStop, canceled: int) -> None:
    now, left = timezone.now(), _open_orders_of(stop).count()
    running = TradingStop.objects.filter(pk=stop.pk, ended_at__isnull=True)
    running.update(canceled_count=F("canceled_count") + canceled, open_count=left, looked_at=now)
    if not left and now - stop.created_at > _SETTLED_AFTER:
        running.update(ended_at=now)


def _open_orders_of(stop: TradingStop) -> QuerySet[Order]:
    subject = Q(account=stop.account_id) if stop.account_id else Q(broker=stop.broker_id)
    return Order.objects.filter(subject, status__in=_OPEN)


def _cancel(orders: Sequence[Order], reason: Reason) -> int:
    """Cancel some orders, booked ones at once and others by their engines; returns how many were.

    Raises:
        EngineUnavailable, VenueBusy: those of engines wait.
    """
    booked = [order for order in orders if shard_of(order.id) == SERVICES_SHARD]
    results = [
        cancel_booked_order(
            order_id=order.id, broker_id=order.broker_id, account_id=None, reason=reason
        )
        for order in booked
    ]
    commands = [
        (_command(order, reason), order.instrument.shard)
        for order in orders
        if shard_of(order.id) != SERVICES_SHARD
    ]
    if commands:
        outcomes = gateway.submit_all(commands, timeout=settings.ORDER_WINDOW_SECONDS)
        results += [
            Result(outcome.result) for outcome in outcomes if isinstance(outcome, CommandOutcome)
        ]
    return results.count(Result.CANCELED)


def _command(order: Order, reason: Reason) -> CancelOrder:
    return CancelOrder(
        command_id=new_uuid().bytes,
        reply_to="",
        order_id=order.id.bytes,
        broker_id=order.broker_id.bytes,
        account_id=None,
        reason=reason.value,
    )
