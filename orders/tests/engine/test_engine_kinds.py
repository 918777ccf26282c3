"""Instruments know their kind, and a command for the other kind is refused."""

import pytest

from ledger.models import JournalEntry, LedgerAccount
from orders.commands import ENGINE_ERROR, ErrorOutcome, OrderOutcome
from orders.engine.core.perpetuals.kind import PERPETUAL
from orders.engine.core.spot import SPOT
from orders.matching.types import Side
from orders.models import Order
from orders.tests.engine.harness import Harness, make_account
from orders.tests.engine.invariants import check_all
from orders.tests.engine.margin import deal_command

BUY, SELL = Side.BUY, Side.SELL


def test_an_instrument_is_loaded_with_its_kind(futures: Harness) -> None:
    rules = {one.symbol: one for one in futures.engine.state.instruments.values()}

    assert (rules["ACME"].kind, rules["ACME"].perpetual) == (SPOT, None)
    assert rules["BTC-PERP"].kind is PERPETUAL
    assert rules["BTC-PERP"].as_perpetual.terms.initial_rate == 20_000_000
    with pytest.raises(AssertionError, match="not a perpetual"):
        _ = rules["ACME"].as_perpetual


def test_the_dealer_fills_no_order_for_a_share(harness: Harness) -> None:
    """Web sends no such command; one is answered, and the others of its batch are not disturbed."""
    dealer, account = make_account("PREFUNDED"), make_account("PREFUNDED")
    seller = make_account()
    wrong = deal_command(harness, dealer, account, BUY, 3, 100)
    right = harness.place_command(seller, SELL, 3, 100)

    refused, placed = harness.carry_out(wrong, right)

    assert refused == ErrorOutcome(wrong.command_id, ENGINE_ERROR)
    assert isinstance(placed, OrderOutcome) and placed.status == "OPEN"
    assert [order.id.bytes for order in Order.objects.all()] == [right.command_id]
    assert not JournalEntry.objects.exists()
    made = set(LedgerAccount.objects.values_list("kind", "trading_account"))
    assert made == {("FEES", None), ("SECURITY", seller.id)}
    check_all(harness.engine)


@pytest.mark.parametrize(("side", "asset"), [(BUY, "USD"), (SELL, "ACME")])
def test_what_an_order_pays_with(harness: Harness, side: Side, asset: str) -> None:
    account = make_account()
    placed = harness.place(account, side, 1, 100)

    order = harness.engine.state.live_orders[placed.command_id]

    quote, base = harness.instrument.quote_asset, harness.instrument.base_asset
    assert order.paying_asset_id == {quote.code: quote.id, base.code: base.id}[asset]
