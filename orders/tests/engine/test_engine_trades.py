"""Orders through a real engine: what is committed, answered and shown."""

from decimal import Decimal

from ledger.models import JournalEntry, LedgerAccount, Posting
from orders.models import BrokerNet, Trade
from orders.tests.engine.harness import BUY, SELL, Harness, make_account, stored


def test_a_resting_order_is_stored_and_answered(harness: Harness) -> None:
    outcome = harness.place(make_account(), BUY, 10, 1_000)

    order = stored(outcome)
    assert outcome.status == order.status == "OPEN"
    assert (order.limit_price, order.quantity, order.filled_quantity) == (10, 10, 0)
    assert order.hold_amount == 0


def test_a_cross_trades_at_the_sellers_price_and_books_double_entry(harness: Harness) -> None:
    buyer, seller = make_account(name="B"), make_account(name="S")
    bid = harness.place(buyer, BUY, 10, 1_000)
    ask = harness.place(seller, SELL, 4, 990)

    assert (ask.status, stored(bid).status) == ("FILLED", "PARTIALLY_FILLED")
    trade = Trade.objects.get()
    assert (trade.price, trade.quantity, trade.notional) == (
        Decimal("9.90"),
        Decimal(4),
        Decimal("39.60"),
    )
    entry = JournalEntry.objects.get()
    assert entry.id == trade.id
    amounts = {
        (p.ledger_account.trading_account_id, p.asset.code): p.amount
        for p in Posting.objects.select_related("ledger_account", "asset")
    }
    assert amounts == {
        (buyer.id, "USD"): Decimal("-39.60"),
        (seller.id, "USD"): Decimal("39.60"),
        (buyer.id, "ACME"): Decimal(4),
        (seller.id, "ACME"): Decimal(-4),
    }
    nets = dict(BrokerNet.objects.values_list("broker_id", "net_amount"))
    assert nets == {buyer.broker_id: Decimal("-39.60"), seller.broker_id: Decimal("39.60")}


def test_many_commands_in_one_batch_equal_one_by_one(harness: Harness) -> None:
    buyer, seller = make_account(name="B"), make_account(name="S")
    commands = [harness.place_command(seller, SELL, 5, 1_000 + i) for i in range(5)]
    commands.append(harness.place_command(buyer, BUY, 12, 1_003))
    outcomes = harness.carry_out(*commands)

    # Each answer tells the order as it stood at its own step.
    assert [o.status for o in outcomes] == ["OPEN"] * 5 + ["FILLED"]
    assert [stored(o).status for o in outcomes] == [
        "FILLED",
        "FILLED",
        "PARTIALLY_FILLED",
        "OPEN",
        "OPEN",
        "FILLED",
    ]
    assert stored(outcomes[2]).filled_quantity == 2
    assert sum(t.quantity for t in Trade.objects.all()) == 12


def test_a_recovered_engine_goes_on_where_it_was(harness: Harness) -> None:
    buyer, seller = make_account(name="B"), make_account(name="S")
    first = harness.place(seller, SELL, 5, 1_000)
    second = harness.place(seller, SELL, 5, 1_000)
    harness.place(buyer, BUY, 2, 1_000)
    harness.restart()
    harness.place(buyer, BUY, 4, 1_000)

    assert stored(first).filled_quantity == 5
    assert stored(second).filled_quantity == 1
    assert LedgerAccount.objects.get(trading_account=buyer, kind="CASH").posted_balance == -60
