"""The background tasks: how often beat has each of them run, and which workers run it.

Each queue has workers of its own, so that a slow report never delays a liquidation.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Queue(StrEnum):
    """The queues of background work; `embedded.venue` and docker-compose.yml start a worker each.

    RISK: marks, liquidations, funding, sweeps of orders. MONEY: what books or frees money, and the
    figures that people read. WEBHOOKS: deliveries and mails. SLOW: checks, seals and purges.
    """

    RISK = "risk"
    MONEY = "money"
    WEBHOOKS = "webhooks"
    SLOW = "slow"


@dataclass(frozen=True, slots=True)
class BackgroundTask:
    """A task of beat's schedule; a run that still waits when the next one is due is dropped."""

    name: str
    task: str
    seconds: int
    queue: Queue

    @property
    def late_after_seconds(self) -> int:
        """The age of the last good run from which on the task counts as late."""
        return 2 * self.seconds + 30


# Tasks that no schedule runs, but somebody's request or another task.
_CALLED = {
    "brokers.tasks.mail_verification": Queue.WEBHOOKS,
    "brokers.tasks.mail_password_reset": Queue.WEBHOOKS,
    "brokers.tasks.mail_notice": Queue.WEBHOOKS,
}


def background_tasks(*, seal_seconds: int, check_seconds: int) -> tuple[BackgroundTask, ...]:
    """All scheduled tasks; the seconds are between seals, and between ledger checks."""
    risk, money, webhooks, slow = Queue.RISK, Queue.MONEY, Queue.WEBHOOKS, Queue.SLOW
    rows = [
        ("sweep-liquidations", "orders.tasks.sweep_liquidations", 3, risk),
        ("expire-due-orders", "orders.tasks.expire_due_orders", 5, risk),
        ("cancel-stopped-orders", "orders.tasks.cancel_stopped_orders", 10, risk),
        ("compute-marks", "orders.tasks.compute_mark_prices", 10, risk),
        ("look-after-fund", "orders.tasks.look_after_fund", 15, risk),
        ("fix-fundings", "orders.tasks.fix_fundings", 30, risk),
        ("sample-premiums", "orders.tasks.sample_premiums", 60, risk),
        ("expire-transfers", "ledger.tasks.expire_transfers", 3, money),
        ("book-fundings", "margin.tasks.book_fundings", 30, money),
        ("trade-demo-market", "exchange_project.tasks.trade_demo_market", 20, money),
        ("build-candles", "orders.tasks.build_candles", 10, money),
        ("refresh-watched-prices", "marketdata.tasks.refresh_prices", 60, money),
        ("store-average-prices", "orders.tasks.store_average_prices", 60, money),
        ("snapshot-equity", "margin.tasks.snapshot_equity", 60, money),
        ("deliver-webhooks", "brokers.tasks.deliver_webhooks", 5, webhooks),
        ("seal-entries", "ledger.tasks.seal_entries", seal_seconds, slow),
        ("check-ledger", "exchange_project.tasks.check_ledger", check_seconds, slow),
        ("seal-audit-trail", "exchange_project.tasks.seal_audit_trail", seal_seconds, slow),
        ("verify-audit-trail", "exchange_project.tasks.verify_audit_trail", 3_600, slow),
        ("verify-seals", "ledger.tasks.verify_seals_in_turn", 3_600, slow),
        ("purge-old-rows", "exchange_project.tasks.purge_old_rows", 3_600, slow),
    ]
    return tuple(BackgroundTask(*row) for row in rows)


def beat_schedule(tasks: tuple[BackgroundTask, ...]) -> dict[str, dict[str, Any]]:
    """The schedule of Celery beat."""
    return {
        one.name: {
            "task": one.task,
            "schedule": float(one.seconds),
            "options": {"expires": one.seconds},
        }
        for one in tasks
    }


def task_routes(tasks: tuple[BackgroundTask, ...]) -> dict[str, dict[str, str]]:
    """The queue of every task, scheduled or called."""
    queues = _CALLED | {one.task: one.queue for one in tasks}
    return {task: {"queue": str(queue)} for task, queue in queues.items()}
