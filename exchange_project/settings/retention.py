"""For how many days rows are kept that nobody needs for good."""

from collections.abc import Mapping

# LOGIN_HISTORY_KEPT_DAYS and PREMIUM_SAMPLES_KEPT_DAYS are settings of their own.
KEPT_DAYS: Mapping[str, int] = {
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
