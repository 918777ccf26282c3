"""The checks of positions and of funding find what is broken, each with the rows that differ."""

from datetime import UTC, datetime

import pytest
from django.db import connection, transaction

from common.reconciliation import run_checks
from exchange_project.reconciliation import CHECKS
from margin.services.funding import book_fundings, book_payments
from margin.tests.factories import make_funding, make_margin_account
from margin.tests.factories import make_perpetual as make_marked_perpetual
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


_FUNDING_CORRUPTIONS = {
    "UPDATE margin_funding SET paid = paid + 1, received = received + 1": {"fundings"},
    "UPDATE margin_fundingpayment SET amount = amount - 1 WHERE booked_at IS NULL": {"fundings"},
    "UPDATE margin_fundingpayment SET amount = amount - 1 WHERE booked_at IS NOT NULL": {
        "fundings", "funding entries", "funding in transit",
    },
    "UPDATE margin_fundingpayment SET booked_at = now() WHERE booked_at IS NULL": {
        "funding entries", "funding in transit",
    },
    "UPDATE margin_fundingpayment SET booked_at = NULL": {
        "fundings", "funding entries", "funding in transit",
    },
    "UPDATE margin_funding SET booked_at = now() WHERE booked_at IS NULL": {
        "fundings", "funding in transit",
    },
    "UPDATE margin_funding SET booked_at = NULL": {"funding in transit"},
}  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("sql", _FUNDING_CORRUPTIONS)
def test_each_corruption_of_funding_is_found(sql: str) -> None:
    """One funding is booked, another one half."""
    perpetual = make_marked_perpetual()
    payer, receiver = (make_margin_account("100", document=name) for name in "12")
    amounts = {payer: "-5.000001", receiver: "5"}
    make_funding(perpetual, datetime(2026, 11, 20, 8, tzinfo=UTC), amounts)
    book_fundings()
    half = make_funding(perpetual, datetime(2026, 11, 20, 16, tzinfo=UTC), amounts)
    assert book_payments(funding=half, fund_account_id=0, limit=1) == 1
    assert found() == set()

    with connection.cursor() as cursor:
        cursor.execute(sql)
        assert cursor.rowcount > 0
    assert found() == _FUNDING_CORRUPTIONS[sql]
