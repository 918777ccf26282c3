"""Whatever arrives for perpetuals: memory is the database, money adds up, nobody owes anything."""

import itertools
import random
from dataclasses import dataclass
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.models import TradingAccount
from brokers.services.house import get_dealer_account_id
from common.ids import new_uuid
from common.reconciliation import run_checks
from margin.calculations import margin_state
from margin.models import Funding, FundingPayment, Liquidation, LiquidationStep
from margin.reconciliation import CHECKS
from margin.services.funding import book_fundings
from marketdata.models import Instrument
from orders.commands import AnyCommand, FixFunding
from orders.matching.types import OrderType, Side, TimeInForce
from orders.models import Order
from orders.tests.engine.harness import REPLY_TO, Harness
from orders.tests.engine.margin import (
    check_with_margin,
    collateral_of,
    deal_command,
    feed_fund,
    liquidate_command,
    make_perpetual,
    make_trader,
    mark_command,
    set_mark,
)
from orders.tests.engine.plans import weighted
from orders.tests.engine.test_engine_properties import examples

_numbers = itertools.count()


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


@dataclass(frozen=True)
class Liquidate:
    account: int


@dataclass(frozen=True)
class Fund:
    """One interval's funding, `rate` in 0.01 %."""

    book: int
    rate: int


Action = Place | Cancel | Mark | Deal | Liquidate | Fund

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
    st.builds(Mark, st.sampled_from((0, 1)), st.integers(800, 1_200)),
    st.builds(Deal, st.integers(0, 4), st.sampled_from(Side), st.integers(1, 200)),
    st.builds(Liquidate, st.integers(0, 4)),
    st.builds(Fund, st.sampled_from((0, 1)), st.integers(-300, 300)),
)
batches = st.tuples(st.lists(actions, min_size=5, max_size=25), st.booleans())
plans = st.lists(batches, min_size=3, max_size=6)


class World:
    """Two perpetuals with fees on one collateral, five traders of small means, a dealer."""

    def __init__(self, harness: Harness) -> None:
        number = next(_numbers)
        fees = {
            "maker_fee_rate": D("-0.0001"),
            "taker_fee_rate": D("0.0007"),
            "liquidation_fee_rate": D("0.005"),
            "liquidation_buffer_rate": D("0.05"),
        }
        self.harness = harness
        self.books: list[Instrument] = [
            make_perpetual(f"M{number}-PERP", **fees),
            make_perpetual(f"S{number}-PERP", price_rule="SELLER", **fees),
        ]
        collaterals = ("60", "120", "240", "500", "5000")
        self.traders: list[TradingAccount] = [make_trader(amount) for amount in collaterals]
        self.dealer = TradingAccount.objects.get(id=get_dealer_account_id())
        self.orders: dict[bytes, TradingAccount] = {}
        self.fundings = 0
        feed_fund("5")
        for book in self.books:
            set_mark(harness, 50_000, instrument_id=book.id)

    def command(self, action: Action) -> AnyCommand | None:
        if isinstance(action, Place):
            return self._place(action)
        if isinstance(action, Mark):
            book = self.books[action.book]
            return mark_command(self.harness, action.price * 50, instrument_id=book.id)
        if isinstance(action, Liquidate):
            return liquidate_command(self.traders[action.account])
        if isinstance(action, Fund):
            return self._fund(action)
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

    def _fund(self, action: Fund) -> AnyCommand:
        self.fundings += 1
        return FixFunding(
            command_id=new_uuid().bytes,
            reply_to=REPLY_TO,
            instrument_id=self.books[action.book].id,
            due_at=self.fundings * 3_600_000_000,
            rate=action.rate * 10_000,
            sample_count=60,
        )

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


@pytest.mark.parametrize("seed", range(1, 3))
def test_a_busy_market_with_jumping_marks(futures: Harness, seed: int) -> None:
    """As above, with so much going on that accounts run out of margin with orders in the book."""
    draw, world = random.Random(seed), World(futures)
    for number in range(15):
        if number % 4 == 3:
            futures.restart()
        crash = Mark(draw.choice((0, 1)), draw.choice((600, 850, 1_150, 1_400)))
        run(world, [_drawn(draw) for _ in range(40)] + [crash] * (number % 2))
    reasons = set(Order.objects.filter(status="CANCELED").values_list("reason", flat=True))
    assert reasons == {
        "insufficient_margin", "no_liquidity", "immediate_or_cancel", "by_user", "liquidation",
    }  # fmt: skip
    kinds = set(LiquidationStep.objects.values_list("kind", flat=True))
    assert {"CANCEL_ORDERS", "CLOSE_ON_BOOK", "TAKEOVER", "DELEVERAGE", "FEE"} <= kinds
    assert FundingPayment.objects.exists() and not Funding.objects.filter(booked_at=None).exists()
    assert Order.objects.filter(status="REJECTED", reason="insufficient_margin").exists()


def run(world: World, batch: list[Action]) -> None:
    """Carry out one batch, then look at everything; sweep, and look again."""
    commands = [command for action in batch if (command := world.command(action)) is not None]
    world.harness.carry_out(*commands)
    check(world.harness)
    book_fundings()
    world.harness.carry_out(*(liquidate_command(trader) for trader in world.traders))
    check(world.harness)
    check_nobody_is_below_maintenance(world)


def check(harness: Harness) -> None:
    check_with_margin(harness)
    different = [one for one in run_checks(CHECKS, shown_max=3) if one.difference_count]
    assert different == []


def check_nobody_is_below_maintenance(world: World) -> None:
    """After a sweep everybody carries what they have; each step begins where the last one ended."""
    book = world.harness.engine.state.positions
    for trader in world.traders:
        owner = (trader.id, world.books[0].quote_asset_id)
        collateral = int(collateral_of(trader) * 10**8)
        assert not margin_state(collateral, book.exposures(owner)).must_be_liquidated
    for liquidation in Liquidation.objects.prefetch_related("steps"):
        figures = (liquidation.equity_before, liquidation.maintenance_margin_before)
        for step in sorted(liquidation.steps.all(), key=lambda one: one.number):
            assert figures == (step.equity_before, step.maintenance_margin_before)
            figures = (step.equity_after, step.maintenance_margin_after)
        assert figures == (liquidation.equity_after, liquidation.maintenance_margin_after)
        assert liquidation.equity_after >= liquidation.maintenance_margin_after


def _drawn(draw: random.Random) -> Action:
    kind, account, side = draw.random(), draw.randrange(5), draw.choice(tuple(Side))
    book = draw.choice((0, 0, 0, 1))
    if kind < 0.78:
        price = None if kind < 0.05 else draw.randrange(980, 1_021, 2)
        return Place(account, book, side, price, draw.randint(1, 300), kind < 0.1, False)
    if kind < 0.86:
        return Cancel(draw.randrange(20))
    if kind < 0.88:
        return Fund(book, draw.randint(-300, 300))
    if kind < 0.96:
        return Mark(book, draw.randint(940, 1_060))
    return Deal(account, side, draw.randint(1, 200))
