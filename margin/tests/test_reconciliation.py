"""The checks of positions find what is broken, each with the rows that differ."""

import pytest
from django.db import connection, transaction

from common.reconciliation import run_checks
from exchange_project.reconciliation import CHECKS
from margin.tests.world import make_perpetual, make_trader, order, set_mark

_CORRUPTIONS = {
    "UPDATE margin_position SET quantity = quantity + 1 WHERE quantity > 0": {
        "positions", "position quantities",
    },
    "UPDATE margin_position SET cost_basis = cost_basis + 1 WHERE quantity > 0": {"clearing"},
    "UPDATE margin_position SET open_buy = open_buy + 1 WHERE quantity > 0": {"open sums"},
    "UPDATE margin_position SET loss_reserve = 0": {"open sums"},
    "UPDATE orders_order SET margin_reserve = margin_reserve + 1 WHERE status = 'OPEN'": {
        "open sums",
    },
    "UPDATE orders_trade SET buy_account_id = sell_account_id": {"position quantities"},
    "DELETE FROM margin_position WHERE quantity < 0": {
        "positions", "clearing", "position quantities",
    },
}  # fmt: skip


def found() -> set[str]:
    return {one.name for one in run_checks(CHECKS, shown_max=1) if one.difference_count}


@pytest.mark.parametrize("sql", _CORRUPTIONS)
def test_each_corruption_is_found_by_its_checks(engine: object, sql: str) -> None:
    make_perpetual()
    set_mark(50_000)
    _, seller = make_trader("Seller", collateral=50_000)
    _, buyer = make_trader("Buyer", collateral=50_000)
    seller.post("orders", order("SELL", 50_000, "0.1"))
    assert buyer.post("orders", order("BUY", 50_000, "0.1")).json()["status"] == "FILLED"
    buyer.post("orders", order("BUY", 50_001, "0.1"))
    assert found() == set()

    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(sql)
            assert cursor.rowcount > 0
        assert found() == _CORRUPTIONS[sql]
        transaction.set_rollback(True)
