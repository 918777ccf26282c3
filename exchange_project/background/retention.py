"""What is deleted once it is old, table by table; the rest is kept, as docs/operations.md says."""

import time
from collections.abc import Callable, Mapping

from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.db.models import Q
from django.utils import timezone

from brokers.services.delivery_retention import purge_webhook_deliveries
from brokers.services.logins import purge_login_attempts
from brokers.services.tokens import purge_expired_tokens
from common.purging import purge_oldest, purge_rows
from ledger.services.checks import purge_alerts, purge_checks
from ledger.services.conversions import purge_unused_quotes
from ledger.services.idempotency import purge_idempotency_keys
from margin.services.funding import purge_premium_samples
from margin.services.snapshots import purge_equity_snapshots
from marketdata.services import purge_mark_prices
from orders.services.retention import (
    purge_engine_commands,
    purge_order_keys,
    purge_request_keys,
)

# Within the time after which the broker hands the task out again.
_SECONDS_MAX = 200.0


def purge_sessions() -> int:
    """Delete sessions of the back office that have ended; returns how many."""
    return purge_rows(
        Session.objects.filter(expire_date__lt=timezone.now()).order_by("expire_date")
    )


def purge_admin_log() -> int:
    """Delete old entries of the back office's own log; the audit trail has what was done."""
    until = timezone.now() - settings.KEPT["ADMIN_LOG_KEPT_DAYS"]
    return purge_oldest(LogEntry.objects.all(), Q(action_time__lt=until))


# By table: `app.Model` to what deletes its old rows in chunks.
PURGES: Mapping[str, Callable[[], int]] = {
    "sessions.Session": purge_sessions,
    "admin.LogEntry": purge_admin_log,
    "token_blacklist.OutstandingToken": purge_expired_tokens,
    "brokers.LoginAttempt": purge_login_attempts,
    "brokers.WebhookDelivery": purge_webhook_deliveries,
    "marketdata.MarkPrice": purge_mark_prices,
    "ledger.ConversionQuote": purge_unused_quotes,
    "ledger.IdempotencyKey": purge_idempotency_keys,
    "ledger.LedgerCheck": purge_checks,
    "ledger.Alert": purge_alerts,
    "margin.PremiumSample": lambda: purge_premium_samples(now=timezone.now()),
    "margin.EquitySnapshot": purge_equity_snapshots,
    "orders.OrderKey": purge_order_keys,
    "orders.RequestKey": purge_request_keys,
    "orders.EngineCommand": purge_engine_commands,
}
# Tables that go with another one.
PURGED_WITH: Mapping[str, str] = {
    "token_blacklist.BlacklistedToken": "token_blacklist.OutstandingToken",
    "brokers.NetworkAddress": "brokers.LoginAttempt",
}


def purge_old_rows(*, turn: int = 0) -> dict[str, int]:
    """Delete what is too old; returns how many rows of each table.

    Each call begins at another table (`turn`) and ends after 200 seconds; what is left waits.
    """
    labels = list(PURGES)
    start = turn % len(labels)
    deadline = time.monotonic() + _SECONDS_MAX
    purged: dict[str, int] = {}
    for label in labels[start:] + labels[:start]:
        if time.monotonic() > deadline:
            break
        purged[label] = PURGES[label]()
    return purged
