"""Stopping and resuming the trading of accounts and brokers.

A stop sets the status, under the lock that the engines take too, and leaves a `TradingStop`: what
rests is canceled by `orders.services.stops` in the background, after the commit and again until
nothing is left. Resuming brings nothing back; what a stop has not canceled by then stays open.
"""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from brokers.errors import AccountClosed
from brokers.locks import lock_account, lock_broker
from brokers.models import Broker, TradingAccount, TradingStop
from brokers.services.authentication import forget_keys
from common.nudges import Nudge
from oversight.services.records import record

VENUE = "venue"
STOP_NUDGE = Nudge("orders.tasks.cancel_stopped_orders", "stops:nudged")


@transaction.atomic
def suspend_account(*, account: TradingAccount, actor: str = VENUE) -> None:
    """Keep the account from trading, and cancel what it has open.

    Raises:
        AccountClosed: it is closed.
    """
    _set_account_status(account, TradingAccount.Status.SUSPENDED)
    _stop(TradingStop.Reason.ACCOUNT_SUSPENDED, actor, account_id=account.pk)


@transaction.atomic
def activate_account(*, account: TradingAccount) -> None:
    """Let a suspended account trade again.

    Raises:
        AccountClosed: it is closed.
    """
    _set_account_status(account, TradingAccount.Status.ACTIVE)
    _end_stops(account_id=account.pk)


@transaction.atomic
def close_account(*, account: TradingAccount, actor: str = VENUE) -> None:
    """End the account for good, and cancel what it has open.

    `orders.services.stops.close_empty_account` sees before that nothing is on it.

    Raises:
        AccountClosed: it is closed already.
    """
    _set_account_status(account, TradingAccount.Status.CLOSED)
    _stop(TradingStop.Reason.ACCOUNT_CLOSED, actor, account_id=account.pk)


@transaction.atomic
def suspend_broker(*, broker: Broker, actor: str = VENUE) -> None:
    """Keep the broker from trading, in every process within four seconds; it may read and cancel.

    What its accounts have open is canceled.
    """
    _set_broker_status(broker, Broker.Status.SUSPENDED)
    _stop(TradingStop.Reason.BROKER_SUSPENDED, actor, broker_id=broker.pk)


@transaction.atomic
def activate_broker(*, broker: Broker) -> None:
    """Let a suspended broker trade again."""
    _set_broker_status(broker, Broker.Status.ACTIVE)
    _end_stops(broker_id=broker.pk)


def _set_account_status(account: TradingAccount, status: "TradingAccount.Status") -> None:
    row = lock_account(account.pk)
    if row.status == TradingAccount.Status.CLOSED:
        raise AccountClosed()
    before, row.status = row.status, status
    account.status = status
    row.save(update_fields=["status", "updated_at"])
    record(
        action="account.status_changed",
        target=row,
        before={"status": before},
        after={"status": status.value},
    )


def _set_broker_status(broker: Broker, status: "Broker.Status") -> None:
    row = lock_broker(broker.pk)
    before, row.status = row.status, status
    broker.status = status
    row.save(update_fields=["status", "updated_at"])
    record(
        action="broker.status_changed",
        target=row,
        before={"status": before},
        after={"status": status.value},
    )
    transaction.on_commit(forget_keys)


def _stop(reason: "TradingStop.Reason", actor: str, **subject: int | UUID) -> None:
    """Leave the order to cancel what is open; an earlier one of the subject ends with it."""
    _end_stops(**subject)
    TradingStop.objects.create(reason=reason, actor=actor, **subject)
    transaction.on_commit(STOP_NUDGE.give)


def _end_stops(**subject: Any) -> None:
    TradingStop.objects.filter(ended_at__isnull=True, **subject).update(ended_at=timezone.now())
