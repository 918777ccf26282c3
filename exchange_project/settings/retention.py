"""For how many days rows are kept that nobody needs for good."""

from collections.abc import Mapping
from datetime import timedelta

import environ

_DAYS_MAX = 36_500
# LOGIN_HISTORY_KEPT_DAYS and PREMIUM_SAMPLES_KEPT_DAYS are settings of their own.
_DAYS: Mapping[str, int] = {
    "WEBHOOK_DELIVERIES_KEPT_DAYS": 30,
    "MARK_PRICES_KEPT_DAYS": 90,
    "ORDER_KEYS_KEPT_DAYS": 365,
    "REQUEST_KEYS_KEPT_DAYS": 7,
    "IDEMPOTENCY_KEYS_KEPT_DAYS": 7,
    "ENGINE_COMMANDS_KEPT_DAYS": 1,
    "UNUSED_QUOTES_KEPT_DAYS": 7,
    "EQUITY_MINUTES_KEPT_DAYS": 2,
    "EQUITY_HOURS_KEPT_DAYS": 90,
    "LEDGER_CHECKS_KEPT_DAYS": 90,
    "RESOLVED_ALERTS_KEPT_DAYS": 365,
    "ADMIN_LOG_KEPT_DAYS": 365,
}


def kept_for(env: environ.Env) -> dict[str, timedelta]:
    """How long the rows of each kind are kept, by the name of its setting.

    Raises:
        ImproperlyConfigured: a number of days is below 1 or above 36500.
    """
    days = {name: env.int(name, default=default) for name, default in _DAYS.items()}
    for name, value in days.items():
        if not 1 <= value <= _DAYS_MAX:
            raise environ.ImproperlyConfigured(f"{name} is from 1 to {_DAYS_MAX}")
    return {name: timedelta(days=value) for name, value in days.items()}
