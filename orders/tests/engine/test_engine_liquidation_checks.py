"""The reconciliation finds liquidations that do not fit their steps and entries."""

from collections.abc import Iterator
from decimal import Decimal as D

import pytest
from django.db import connection, transaction

from common.reconciliation import run_checks
from exchange_project.reconciliation import CHECKS
from orders.tests.engine.harness import BUY, SELL, Harness, Venue
from orders.tests.engine.margin import liquidate, make_perpetual, make_trader, set_mark

_CORRUPTIONS = {
    "UPDATE margin_liquidation SET fee = fee + 1 WHERE fee > 0": {
        "liquidation entries", "liquidation steps",
    },
    "UPDATE margin_liquidation SET bad_debt = 0 WHERE bad_debt > 0": {
        "liquidation entries", "liquidation steps",
    },
    "UPDATE margin_liquidation SET equity_after = equity_after + 1": {"liquidation steps"},
    "UPDATE margin_liquidationstep SET amount = amount + 1 WHERE kind = 'FEE'": {
        "liquidation steps",
    },
    "DELETE FROM margin_liquidationstep WHERE number = 1": {"liquidation steps"},
    "DELETE FROM margin_liquidationstep; DELETE FROM margin_liquidation": {"liquidation entries"},
}  # fmt: skip


@pytest.fixture
def liquidated(venue: Venue) -> Iterator[Harness]:
    """One account liquidated in part with a fee, one with a bad debt."""
    driver = Harness(make_perpetual(liquidation_fee_rate=D("0.005")))
    set_mark(driver, 50_000)
    long, short, bidder = make_trader("1000"), make_trader("10000"), make_trader("100000")
    driver.place(short, SELL, 1_000, 5_000_000)
    driver.place(long, BUY, 1_000, 5_000_000)
    set_mark(driver, 44_000)
    driver.place(bidder, BUY, 300, 4_400_000)
    assert liquidate(driver, long) == "done"
    thin = make_trader("440")
    set_mark(driver, 20_000)
    driver.place(short, BUY, 1_000, 2_000_000)
    driver.place(thin, SELL, 1_000, 2_000_000)
    assert liquidate(driver, long) == "done"
    yield driver
    driver.stop()


def found() -> set[str]:
    return {one.name for one in run_checks(CHECKS, shown_max=1) if one.difference_count}


def test_each_corruption_is_found_by_its_checks(liquidated: Harness) -> None:
    assert found() == set()
    for sql, names in _CORRUPTIONS.items():
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(sql)
                assert cursor.rowcount > 0
            assert found() == names, sql
            transaction.set_rollback(True)
