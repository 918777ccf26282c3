"""`load_history`: a small history that agrees in everything, and an engine that goes on from it."""

import io
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection
from django.db.models import Count, F, Max, Q, Sum

from exchange_project.history import loading
from exchange_project.history.errors import EngineTookLead, HistoryRefused
from exchange_project.history.loading import HistoryPlan, Loaded, load_history
from exchange_project.history.world import ACTOR, Size
from exchange_project.management.commands.load_history import progress_line
from ledger.models import JournalEntry, LedgerAccount, Posting
from marketdata.models import Instrument
from orders.engine.process import leadership
from orders.models import BrokerNet, EngineShard, Fill, Order, OrderKey, Trade
from orders.tests.emptying import empty_tables
from orders.tests.engine.harness import BUY, SELL, Harness, make_account, make_venue
from orders.tests.engine.invariants import check_all, check_tables

PLAN = HistoryPlan(
    orders=600, open_orders=90, size=Size(brokers=3, accounts_per_broker=2, instruments=7),
    stretch_orders=150,
)  # fmt: skip


@pytest.fixture
def empty(transactional_db: None, valkey: Any) -> Iterator[None]:
    """A venue without anything."""
    yield
    empty_tables()


def test_a_history_agrees_in_everything(empty: None) -> None:
    loaded = load_history(PLAN)

    check_tables()
    call_command("check_ledger", stdout=io.StringIO())
    assert loaded.orders == Order.objects.count() == 600
    assert loaded.trades == Trade.objects.count()
    assert loaded.postings == Posting.objects.filter(entry__kind="TRADE").count()
    assert 300 < loaded.trades < 510
    assert loaded.postings == pytest.approx(5 * loaded.trades, abs=3)
    by_status = dict(Order.objects.values_list("status").annotate(count=Count("id")))
    assert set(by_status) == {choice.value for choice in Order.Status} - {"PENDING"}
    assert by_status["OPEN"] + by_status["PARTIALLY_FILLED"] == 90
    assert {"LIMIT", "MARKET"} == set(Order.objects.values_list("order_type", flat=True))
    assert OrderKey.objects.count() == Order.objects.exclude(client_order_id=None).count() > 60
    assert BrokerNet.objects.aggregate(total=Sum("net_amount"))["total"] == 0
    assert set(JournalEntry.objects.values_list("actor", flat=True)) == {ACTOR}


def test_open_orders_hold_what_they_may_cost(empty: None) -> None:
    load_history(PLAN)

    open_orders = Order.objects.filter(status__in=Order.OPEN_STATUSES)
    assert not open_orders.filter(hold_amount=0).exists()
    held = LedgerAccount.objects.aggregate(total=Sum("held_amount"))["total"]
    assert held == open_orders.aggregate(total=Sum("hold_amount"))["total"] > 0
    sells = open_orders.filter(side="SELL")
    assert not sells.exclude(hold_amount=F("quantity") - F("filled_quantity")).exists()
    for buy in open_orders.filter(side="BUY"):
        assert buy.limit_price is not None
        cost = buy.limit_price * (buy.quantity - buy.filled_quantity)
        # The highest fee, and one unit for two roundings.
        assert cost < buy.hold_amount <= cost * Decimal("1.0005") + Decimal("0.0002")


def test_an_engine_goes_on_from_it(empty: None) -> None:
    """The books are not crossed, and the next trade is the next event of the shard."""
    load_history(PLAN)
    instrument = Instrument.objects.get(symbol="HIST1")
    asks = Order.objects.filter(
        instrument=instrument, side="SELL", status__in=Order.OPEN_STATUSES
    ).order_by("limit_price", "sequence")
    best = asks[0]
    last_sequence = max(
        model.objects.aggregate(last=Max("sequence"))["last"] for model in (Order, Trade)
    )
    buyer = make_account(name="Buyer")
    harness = Harness(instrument)
    try:
        assert len(harness.engine.state.live_orders) == 90
        assert harness.engine.state.next_sequence == last_sequence + 1
        check_all(harness.engine)
        assert best.limit_price is not None
        outcome = harness.place(buyer, BUY, 10, int(best.limit_price * 100))
    finally:
        harness.stop()

    trade = Trade.objects.get(buy_account=buyer)
    assert (trade.sell_order_id, trade.price) == (best.id, best.limit_price)
    assert Order.objects.get(id=outcome.command_id.hex()).status == "FILLED"
    check_tables()
    call_command("check_ledger", stdout=io.StringIO())


def test_fills_and_orders_say_the_same(empty: None) -> None:
    load_history(replace(PLAN, open_orders=0))

    filled = Order.objects.filter(status="FILLED")
    assert not filled.exclude(filled_quantity=F("quantity")).exists()
    assert Order.objects.filter(Q(status__in=Order.OPEN_STATUSES)).count() == 0
    assert LedgerAccount.objects.filter(held_amount__gt=0).count() == 0
    assert Fill.objects.count() == 2 * Trade.objects.count()
    assert not Trade.objects.filter(buy_account=F("sell_account")).exists()
    # In the order in which it happened.
    ids = list(Trade.objects.order_by("sequence").values_list("id", flat=True))
    assert ids == sorted(ids)


def test_the_same_seed_gives_the_same_history(empty: None) -> None:
    def load_again() -> list[Any]:
        empty_tables()
        load_history(PLAN)
        trades = Trade.objects.order_by("sequence")
        return list(trades.values_list("instrument__symbol", "price", "quantity", "buy_fee"))

    first = load_again()
    assert load_again() == first != []


def test_without_orders_the_world_alone(empty: None) -> None:
    loaded = load_history(replace(PLAN, orders=0, open_orders=0))

    assert (loaded.orders, Order.objects.count()) == (0, 0)
    # Six accounts with cash and seven shares.
    assert JournalEntry.objects.count() == 6 * 8
    assert JournalEntry.objects.filter(kind="DEPOSIT").count() == 48
    call_command("check_ledger", stdout=io.StringIO())

    # What is there is used again.
    load_history(PLAN)
    assert Instrument.objects.count() == 7
    call_command("check_ledger", stdout=io.StringIO())


def test_a_venue_with_orders_is_refused(empty: None) -> None:
    venue = make_venue()
    harness = Harness(venue.instrument)
    harness.place(make_account(), SELL, 1, 100)
    harness.stop()

    with pytest.raises(HistoryRefused, match="has orders"):
        load_history(PLAN)
    assert Order.objects.count() == 1
    assert JournalEntry.objects.count() == 0
    assert Instrument.objects.count() == 1


def test_a_running_engine_is_refused(empty: None) -> None:
    harness = Harness(make_venue().instrument)
    try:
        with pytest.raises(HistoryRefused, match="runs"):
            load_history(PLAN)
    finally:
        harness.stop()
    assert JournalEntry.objects.count() == 0


def test_an_engine_that_takes_the_lead_ends_the_load(empty: None) -> None:
    """What was stored until then stays, and agrees."""

    def take_lead(loaded: Loaded) -> None:
        if loaded.orders >= 300:
            EngineShard.objects.update(epoch=F("epoch") + 1)

    with pytest.raises(EngineTookLead):
        load_history(PLAN, on_progress=take_lead)

    assert Order.objects.count() == 300
    check_tables()
    call_command("check_ledger", stdout=io.StringIO())
    # The lead is free again.
    connection.ensure_connection()
    assert leadership.try_acquire(connection.connection, 0)
    leadership.release(connection.connection, 0)


def test_triggers_hold_while_it_loads(empty: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stretch with a wrong posting is refused as a whole."""
    store = loading.store_stretch

    def store_wrong(cursor: Any, stretch: Any, **options: Any) -> None:
        first, _, rest = stretch.ledger.postings.partition("\n")
        wrong = first.replace("e-8\t", "1e-8\t", 1) + "\n" + rest
        ledger = replace(stretch.ledger, postings=wrong)
        store(cursor, replace(stretch, ledger=ledger), **options)

    monkeypatch.setattr(loading, "store_stretch", store_wrong)
    with pytest.raises(IntegrityError, match="does not sum to zero"):
        load_history(PLAN)
    assert Order.objects.count() == Trade.objects.count() == 0
    call_command("check_ledger", stdout=io.StringIO())


ARGUMENTS = ("load_history", "--orders=60", "--brokers=2", "--accounts=1", "--instruments=2")


def test_the_command_loads_and_says_how_much(empty: None, settings: Any) -> None:
    settings.ALLOW_RESET = True
    output = io.StringIO()
    call_command(*ARGUMENTS, "--open-orders=5", stdout=output)

    assert output.getvalue().startswith("60 orders, ")
    assert Order.objects.filter(status__in=Order.OPEN_STATUSES).count() == 5


def test_a_venue_that_cannot_be_reset_is_named(empty: None, settings: Any) -> None:
    settings.ALLOW_RESET = False
    name = connection.settings_dict["NAME"]
    with pytest.raises(CommandError, match=f"add --database {name}"):
        call_command(*ARGUMENTS)
    with pytest.raises(CommandError, match=f"This is the database {name}, not another"):
        call_command(*ARGUMENTS, "--database=another")
    assert LedgerAccount.objects.count() == Order.objects.count() == 0

    call_command(*ARGUMENTS, f"--database={name}", stdout=io.StringIO())
    assert Order.objects.count() == 60


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--open-orders=61",), "at most --orders"),
        (("--brokers=1",), "two accounts"),
        (("--orders=-1",), "zero or more"),
        (("--instruments=0",), "one or more"),
    ],
)
def test_nonsense_is_refused(
    empty: None, settings: Any, arguments: tuple[str, ...], message: str
) -> None:
    settings.ALLOW_RESET = True
    with pytest.raises(CommandError, match=message):
        call_command(*ARGUMENTS, *arguments)
    assert LedgerAccount.objects.count() == 0


def test_progress_tells_rate_and_time_left() -> None:
    loaded = Loaded(orders=250_000, trades=200_000, postings=1_000_000, seconds=20.0)

    assert progress_line(loaded, 1_000_000) == (
        "     250,000 of 1,000,000 orders (25%), 1,000,000 postings, 12,500 orders/s, 1:00 left"
    )
