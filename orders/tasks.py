"""The clock's work on orders: wake the engines, sweep what was only for a day."""

import time

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from brokers.tasks import nudge_webhooks
from common.valkey import get_client
from margin.selectors.liquidations import list_near_accounts
from margin.services.calls import call_from_ratio, update_margin_calls
from margin.services.funding import book_fundings
from orders.services import averages, computed_marks, fund, funding, liquidations, stops
from orders.services.candles import build_candles as build_candles_of
from orders.services.venue import expire_due
from orders.streams import worker_key

# What is left waits for the next run; well within CELERY_TASK_TIME_LIMIT.
_CANDLES_SECONDS_MAX = 60.0


@shared_task
def expire_due_orders() -> None:
    """Every engine looks at its clock; it does so by itself too. Shows that a worker lives."""
    expire_due()
    get_client().set(worker_key(), int(time.time()))


@shared_task
def cancel_stopped_orders() -> int:
    """Cancel what stopped accounts and brokers have open; returns how many orders were."""
    return stops.cancel_stopped_orders()


@shared_task
def build_candles() -> None:
    """Bring the candles of all shards up to date with the trades on the book, for a minute."""
    deadline = time.monotonic() + _CANDLES_SECONDS_MAX
    for shard in range(settings.ENGINE_SHARDS):
        while build_candles_of(shard=shard) and time.monotonic() < deadline:
            pass


@shared_task
def store_average_prices() -> int:
    """Store average prices where enough has happened since; returns how many."""
    return averages.store_average_prices()


@shared_task
def compute_mark_prices() -> None:
    """Compute the mark prices that nobody has posted in time."""
    computed_marks.compute_mark_prices()


@shared_task
def sweep_liquidations() -> int:
    """Have who is below the maintenance margin liquidated, and call who is near it.

    Returns for how many liquidation was asked. The calls are made also where no engine lives.
    """
    liquidations.forget_nudge()
    near = list_near_accounts(ratio=call_from_ratio())
    try:
        return liquidations.sweep_liquidations(near)
    finally:
        if update_margin_calls(near=near, now=timezone.now()):
            nudge_webhooks()


@shared_task
def look_after_fund() -> int:
    """Let the insurance fund close what it can, and tell when it is overdrawn.

    Returns for how many of its positions an engine was asked.
    """
    fund.watch_fund()
    return fund.reduce_fund_positions()


@shared_task
def sample_premiums() -> int:
    """Keep how far perpetuals trade from their indexes; returns how many were kept."""
    return funding.sample_premiums(now=timezone.now())


@shared_task
def fix_fundings() -> int:
    """Fix the fundings that are due, and book them at once; returns how many were fixed."""
    fixed = funding.fix_due_fundings(now=timezone.now())
    if fixed:
        book_fundings()
    return fixed
