"""All that is stored twice, over all apps, compared in one moment of the running venue."""

from common.reconciliation import CheckResult, one_moment, run_checks
from ledger.reconciliation import CHECKS as LEDGER_CHECKS
from margin.reconciliation import CHECKS as MARGIN_CHECKS
from orders.reconciliation import CHECKS as ORDER_CHECKS

CHECKS = (*LEDGER_CHECKS, *MARGIN_CHECKS, *ORDER_CHECKS)


def check_venue(*, shown_max: int) -> list[CheckResult]:
    """Run every check, each with the first `shown_max` of its differences. Locks nothing."""
    with one_moment():
        return list(run_checks(CHECKS, shown_max=shown_max))
