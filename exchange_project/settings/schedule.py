"""How often beat has which task run."""

from typing import Any


def beat_schedule(*, seal_seconds: int, check_seconds: int) -> dict[str, dict[str, Any]]:
    """The schedule of Celery beat; the seconds are between seals, and between ledger checks."""
    return {
        "expire-due-orders": _every(5, "orders.tasks.expire_due_orders"),
        "cancel-stopped-orders": _fresh_every(10, "orders.tasks.cancel_stopped_orders"),
        "deliver-webhooks": _every(5, "brokers.tasks.deliver_webhooks"),
        "expire-transfers": _every(3, "ledger.tasks.expire_transfers"),
        "purge-idempotency-keys": _every(3_600, "ledger.tasks.purge_idempotency_keys"),
        "purge-unused-quotes": _every(86_400, "ledger.tasks.purge_unused_quotes"),
        "seal-entries": _every(seal_seconds, "ledger.tasks.seal_entries"),
        "check-ledger": _every(check_seconds, "exchange_project.tasks.check_ledger"),
        "verify-seals": _every(3_600, "ledger.tasks.verify_seals_in_turn"),
        "compute-marks": _fresh_every(10, "orders.tasks.compute_mark_prices"),
        "sweep-liquidations": _fresh_every(3, "orders.tasks.sweep_liquidations"),
        "look-after-fund": _fresh_every(15, "orders.tasks.look_after_fund"),
        "sample-premiums": _fresh_every(60, "orders.tasks.sample_premiums"),
        "fix-fundings": _fresh_every(30, "orders.tasks.fix_fundings"),
        "book-fundings": _fresh_every(30, "margin.tasks.book_fundings"),
        "trade-demo-market": _fresh_every(20, "exchange_project.tasks.trade_demo_market"),
        "build-candles": _fresh_every(10, "orders.tasks.build_candles"),
        "refresh-watched-prices": _fresh_every(60, "marketdata.tasks.refresh_prices"),
        "store-average-prices": _every(60, "orders.tasks.store_average_prices"),
        "purge-engine-commands": _every(3_600, "orders.tasks.purge_engine_commands"),
        "snapshot-equity": _fresh_every(60, "margin.tasks.snapshot_equity"),
        "purge-equity-snapshots": _every(3_600, "margin.tasks.purge_equity_snapshots"),
        "purge-premium-samples": _every(3_600, "margin.tasks.purge_premium_samples"),
        "purge-login-history": _every(86_400, "brokers.tasks.purge_login_history"),
        "purge-tokens": _every(86_400, "brokers.tasks.purge_tokens"),
    }


def _every(seconds: int, task: str) -> dict[str, Any]:
    return {"task": task, "schedule": float(seconds)}


def _fresh_every(seconds: int, task: str) -> dict[str, Any]:
    """A run that has waited until the next one is due is left out."""
    return {**_every(seconds, task), "options": {"expires": seconds}}
