"""Positions survive what batches do not: failures, restarts, and whatever arrives."""

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal as D
from typing import Any

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from brokers.models import TradingAccount
from margin.models import Position
from marketdata.models import Instrument, MarkPrice
from orders.commands import AnyCommand, ResetVenue
from orders.engine import persistence
from orders.matching.types import OrderType, Side, TimeInForce
from orders.models import Order
from orders.tests.engine.harness import BUY, REPLY_TO, SELL, Harness, Venue, make_account
from orders.tests.engine.invariants import check_all, describe
from orders.tests.engine.margin import (
    check_margin_tables,
    deal_command,
    make_perpetual,
    make_trader,
    mark_command,
    position_of,
    set_mark,
)
from orders.tests.engine.plans import weighted
from orders.tests.engine.test_engine_properties import examples

_numbers = itertools.count()


@pytest.fixture
def futures(venue: Venue) -> Iterator[Harness]:
    driver = Harness(make_perpetual())
    set_mark(driver, 50_000)
    yield driver
    driver.stop()


def check(harness: Harness) -> None:
    check_all(harness.engine)
    check_margin_tables()


def test_a_batch_that_cannot_be_stored_leaves_positions_as_they_were(futures: Harness) -> None:
    maker, taker = make_trader("9000"), make_trader("9000")
    futures.place(maker, SELL, 300, 5_000_000)
    futures.place(taker, BUY, 100, 5_000_000)
    before = describe(futures.engine.state)
    commands: list[AnyCommand] = [
        futures.place_command(taker, BUY, 100, 5_000_000),
        mark_command(futures, 51_000),
        futures.place_command(make_trader("9000"), BUY, 10, 4_000_000, client_order_id="x" * 200),
    ]
    futures.send(*commands)
    futures.turn()

    # The culprit alone is refused; the others went through when they were tried again.
    assert futures.answers(commands[2])[0].code == "engine_error"
    assert position_of(taker, futures.instrument)[0] == D("0.02")
    assert Position.objects.count() == 2
    assert describe(futures.engine.state) != before
    check(futures)


def test_a_statement_that_fails_rolls_memory_back(
    futures: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker, taker = make_trader("9000"), make_trader("9000")
    futures.place(maker, SELL, 300, 5_000_000)
    before = describe(futures.engine.state)
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE margin_position ADD CONSTRAINT nobody_buys CHECK (quantity <= 0) NOT VALID"
        )
    try:
        command = futures.place_command(taker, BUY, 100, 5_000_000)
        futures.send(command)
        futures.turn()
        assert futures.answers(command)[0].code == "engine_error"
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE margin_position DROP CONSTRAINT nobody_buys")

    assert describe(futures.engine.state) == before
    assert Position.objects.count() == 1
    check(futures)


def test_a_row_that_another_engine_has_changed_is_not_overwritten(futures: Harness) -> None:
    trader = make_trader("9000")
    futures.place(trader, BUY, 100, 5_000_000)
    Position.objects.update(version=7)
    command = futures.place_command(trader, BUY, 100, 5_000_000)
    futures.send(command)
    futures.turn()

    assert futures.answers(command)[0].code == "engine_error"
    assert Position.objects.get().version == 7
    # It was read again on the way.
    assert futures.place(trader, BUY, 100, 5_000_000).status == "OPEN"
    assert Position.objects.get().version == 8


def test_a_reset_forgets_positions_and_marks(futures: Harness, settings: Any) -> None:
    settings.RESET_HOOK = ""
    futures.place(make_trader("9000"), BUY, 100, 5_000_000)
    futures.carry_out(ResetVenue(b"r" * 16, REPLY_TO))

    state = futures.engine.state
    assert not Position.objects.exists() and not MarkPrice.objects.exists()
    assert (state.positions.by_owner, state.positions.marks) == ({}, {})


def test_after_a_reset_the_demo_has_its_mark_again(futures: Harness, settings: Any) -> None:
    settings.DEMO = True
    set_mark(futures, 51_000)
    futures.carry_out(ResetVenue(b"r" * 16, REPLY_TO))

    assert [mark.price for mark in MarkPrice.objects.all()] == [50_000]
    assert futures.place(make_trader("9000"), BUY, 100, 5_000_000).status == "OPEN"
    check(futures)


def test_orders_of_other_kinds_write_no_reserves() -> None:
    assert persistence._reserves([], has_positions=False) == "{}"


# --- whatever arrives -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    account: int
    book: int
    side: Side
    # In per mille of 50,000; None: a market order.
    price: int | None
    lots: int
    is_ioc: bool
    is_bad: bool


@dataclass(frozen=True)
class Cancel:
    back: int


@dataclass(frozen=True)
class Mark:
    book: int
    price: int


@dataclass(frozen=True)
class Deal:
    account: int
    side: Side
    lots: int


Action = Place | Cancel | Mark | Deal

places = st.builds(
    Place,
    account=st.integers(0, 4),
    book=weighted({0: 3, 1: 1}),
    side=st.sampled_from(Side),
    price=weighted({**dict.fromkeys(range(980, 1_021, 5), 3), None: 3}),
    lots=st.integers(1, 300),
    is_ioc=weighted({False: 9, True: 1}),
    is_bad=weighted({False: 60, True: 1}),
)
actions: st.SearchStrategy[Action] = st.one_of(
    places,
    places,
    places,
    places,
    st.builds(Cancel, st.integers(0, 12)),
    st.builds(Mark, st.sampled_from((0, 0, 1)), st.integers(960, 1_040)),
    st.builds(Mark, st.just(0), st.integers(930, 1_070)),
    st.builds(Deal, st.integers(0, 4), st.sampled_from(Side), st.integers(1, 200)),
)
batches = st.tuples(st.lists(actions, min_size=5, max_size=25), st.booleans())
plans = st.lists(batches, min_size=3, max_size=6)


class World:
    """Two perpetuals with fees on one collateral, five traders of small means, a dealer."""

    def __init__(self, harness: Harness) -> None:
        number = next(_numbers)
        fees = {"maker_fee_rate": D("-0.0001"), "taker_fee_rate": D("0.0007")}
        self.harness = harness
        self.books: list[Instrument] = [
            make_perpetual(f"M{number}-PERP", **fees),
            make_perpetual(f"S{number}-PERP", price_rule="SELLER", **fees),
        ]
        collaterals = ("60", "120", "240", "500", "5000")
        self.traders: list[TradingAccount] = [make_trader(amount) for amount in collaterals]
        self.dealer = make_account(name="House")
        self.orders: dict[bytes, TradingAccount] = {}
        for book in self.books:
            set_mark(harness, 50_000, instrument_id=book.id)

    def command(self, action: Action) -> AnyCommand | None:
        if isinstance(action, Place):
            return self._place(action)
        if isinstance(action, Mark):
            book = self.books[action.book]
            return mark_command(self.harness, action.price * 50, instrument_id=book.id)
        if isinstance(action, Deal):
            trader = self.traders[action.account]
            book = self.books[0]
            return deal_command(
                self.harness, self.dealer, trader, action.side, action.lots, instrument_id=book.id
            )
        if action.back >= len(self.orders):
            return None
        order_id = list(self.orders)[-1 - action.back]
        return self.harness.cancel_command(self.orders[order_id], order_id)

    def _place(self, action: Place) -> AnyCommand:
        account, is_market = self.traders[action.account], action.price is None
        is_ioc = is_market or action.is_ioc
        command = self.harness.place_command(
            account,
            action.side,
            action.lots,
            None if action.price is None else action.price * 5_000,
            instrument_id=self.books[action.book].id,
            order_type=OrderType.MARKET if is_market else OrderType.LIMIT,
            time_in_force=TimeInForce.IOC if is_ioc else TimeInForce.GTC,
            client_order_id="bad" * 30 if action.is_bad else None,
        )
        self.orders[command.command_id] = account
        return command


@examples(6)
@given(plan=plans)
def test_positions_money_and_memory_agree_after_every_batch(
    futures: Harness, plan: list[tuple[list[Action], bool]]
) -> None:
    world = World(futures)
    for batch, restarts in plan:
        if restarts:
            futures.restart()
        run(world, batch)


@pytest.mark.parametrize("seed", range(1, 4))
def test_a_busy_market_with_jumping_marks(futures: Harness, seed: int) -> None:
    """As above, with so much going on that accounts run out of margin with orders in the book."""
    draw, world = random.Random(seed), World(futures)
    for number in range(15):
        if number % 4 == 3:
            futures.restart()
        run(world, [_drawn(draw) for _ in range(40)])
    reasons = set(Order.objects.filter(status="CANCELED").values_list("reason", flat=True))
    assert reasons == {"insufficient_margin", "no_liquidity", "by_user"}
    assert Order.objects.filter(status="REJECTED", reason="insufficient_margin").exists()


def run(world: World, batch: list[Action]) -> None:
    """Carry out one batch, then look at everything."""
    commands = [command for action in batch if (command := world.command(action)) is not None]
    world.harness.carry_out(*commands)
    check(world.harness)


def _drawn(draw: random.Random) -> Action:
    kind, account, side = draw.random(), draw.randrange(5), draw.choice(tuple(Side))
    book = draw.choice((0, 0, 0, 1))
    if kind < 0.78:
        price = None if kind < 0.05 else draw.randrange(980, 1_021, 2)
        return Place(account, book, side, price, draw.randint(1, 300), kind < 0.1, False)
    if kind < 0.86:
        return Cancel(draw.randrange(20))
    if kind < 0.96:
        return Mark(book, draw.randint(940, 1_060))
    return Deal(account, side, draw.randint(1, 200))
