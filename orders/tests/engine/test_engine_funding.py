"""The engine fixes a funding: who pays and who gets what, once, and without touching collateral."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal as D
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.models import TradingAccount
from brokers.services.house import get_dealer_account_id
from common.ids import new_uuid
from common.instants import EPOCH, to_microseconds
from common.money import UNITS8
from ledger.batch import LedgerBatch
from ledger.models import JournalEntry, LedgerAccount
from margin.models import Funding, FundingPayment
from margin.services.funding import book_fundings
from marketdata.models import Instrument
from orders.commands import FixFunding
from orders.engine.core.batch import Batch, BatchChanges, BatchContext
from orders.engine.core.instruments import LiveMark
from orders.engine.core.perpetuals.funding import fix_funding
from orders.engine.core.positions import LivePosition
from orders.engine.core.state import ShardState
from orders.models import EngineCommand
from orders.services.funding import funding_id
from orders.tests.engine.harness import BUY, REPLY_TO, SELL, Harness, Venue
from orders.tests.engine.invariants import check_all
from orders.tests.engine.margin import (
    add_collateral,
    age_marks,
    check_with_margin,
    collateral_of,
    deal,
    make_perpetual,
    make_trader,
    set_mark,
)
from orders.types import Result

DUE_AT = EPOCH + timedelta(days=20_000)
INTERVAL = timedelta(hours=8)
RATE = 10_001  # 0.010001 %


@pytest.fixture
def desk(perpetual: Instrument) -> Iterator[Harness]:
    driver = Harness(perpetual)
    set_mark(driver, 0, price_ticks=5_000_001)
    yield driver
    driver.stop()


@pytest.fixture
def traders(desk: Harness) -> dict[str, TradingAccount]:
    """Two longs of 0.0003 and 0.0007 against a short of 0.001, and somebody who is flat."""
    made = {name: make_trader("1000", name=name) for name in ("small", "large", "short", "flat")}
    desk.place(made["short"], SELL, 10, 5_000_000)
    desk.place(made["small"], BUY, 3, 5_000_000)
    desk.place(made["flat"], BUY, 7, 5_000_000)
    desk.place(made["flat"], SELL, 7, 5_000_000)
    desk.place(made["large"], BUY, 7, 5_000_000)
    desk.place(made["flat"], BUY, 1, 4_000_000)
    return made


def fix_command(desk: Harness, rate: int = RATE, **fields: Any) -> FixFunding:
    values: dict[str, Any] = {
        "command_id": funding_id(desk.instrument.id, DUE_AT).bytes,
        "reply_to": REPLY_TO,
        "instrument_id": desk.instrument.id,
        "due_at": to_microseconds(DUE_AT),
        "rate": rate,
        "sample_count": 480,
    }
    return FixFunding(**(values | fields))


def fix(desk: Harness, rate: int = RATE, **fields: Any) -> str:
    return str(desk.carry_out(fix_command(desk, rate, **fields))[0].result)


def amounts(accounts: dict[str, TradingAccount]) -> dict[str, D]:
    """What each pays (negative) or gets, by name."""
    names = {account.id: name for name, account in accounts.items()}
    return {names[row.account_id]: row.amount for row in FundingPayment.objects.all()}


def collaterals(accounts: dict[str, TradingAccount]) -> dict[str, D]:
    return {name: collateral_of(account) for name, account in accounts.items()}


def venue_balance(kind: str, shard: int) -> D:
    row = LedgerAccount.objects.filter(kind=kind, shard=shard, trading_account=None).first()
    return D(0) if row is None else row.posted_balance


def test_the_worked_example(desk: Harness, traders: dict[str, TradingAccount]) -> None:
    assert fix(desk) == Result.DONE

    # 15.000003, 35.000007 and 50.00001 USDT at 0.010001 %: 0.00150015…, 0.00350035…, 0.00500050….
    assert amounts(traders) == {
        "small": D("-0.001501"), "large": D("-0.003501"), "short": D("0.005"),
    }  # fmt: skip
    funding = Funding.objects.get()
    assert (funding.instrument, funding.due_at) == (desk.instrument, DUE_AT)
    assert funding.id == funding_id(desk.instrument.id, DUE_AT)
    assert (funding.rate, funding.sample_count) == (D("0.00010001"), 480)
    assert funding.mark_price == D("50000.01")
    assert (funding.paid, funding.received) == (D("0.005002"), D("0.005"))
    assert (funding.remainder, funding.booked_at) == (D("0.000002"), None)
    quantities = {row.account_id: row.quantity for row in funding.payments.all()}
    assert quantities == {
        traders["small"].id: D("0.0003"),
        traders["large"].id: D("0.0007"),
        traders["short"].id: D("-0.001"),
    }
    # Nothing is booked yet.
    assert set(collaterals(traders).values()) == {D(1000)}
    assert not JournalEntry.objects.filter(kind="FUNDING").exists()

    assert book_fundings() == 3

    assert collaterals(traders) == {
        "small": D("999.998499"), "large": D("999.996499"), "short": D("1000.005"),
        "flat": D(1000),
    }  # fmt: skip
    assert venue_balance("INSURANCE", 0) == D("0.000002")
    assert venue_balance("FUNDING", -1) == 0
    assert JournalEntry.objects.filter(kind="FUNDING").count() == 4
    funding.refresh_from_db()
    assert funding.booked_at is not None
    check_with_margin(desk)


def test_shorts_pay_where_the_rate_is_negative(
    desk: Harness, traders: dict[str, TradingAccount]
) -> None:
    assert fix(desk, -RATE) == Result.DONE

    assert amounts(traders) == {
        "small": D("0.0015"), "large": D("0.0035"), "short": D("-0.005001"),
    }  # fmt: skip
    funding = Funding.objects.get()
    assert (funding.paid, funding.received) == (D("0.005001"), D("0.005"))
    assert funding.remainder == D("0.000001")


def test_a_rate_of_zero_is_recorded_and_done(
    desk: Harness, traders: dict[str, TradingAccount]
) -> None:
    assert fix(desk, 0, sample_count=0) == Result.DONE

    funding = Funding.objects.get()
    assert (funding.rate, funding.sample_count, funding.paid) == (0, 0, 0)
    assert funding.booked_at == funding.fixed_at
    assert not funding.payments.exists()
    assert book_fundings() == 0


def test_the_dealers_position_takes_part(desk: Harness) -> None:
    dealer = TradingAccount.objects.get(id=get_dealer_account_id())
    add_collateral(dealer, "500")
    client = make_trader("1000")
    assert deal(desk, dealer, client, BUY, 10).status == "FILLED"

    assert fix(desk) == Result.DONE

    paid = {row.account_id: row.amount for row in FundingPayment.objects.all()}
    assert paid == {client.id: D("-0.005001"), dealer.id: D("0.005")}
    assert book_fundings() == 2
    assert collateral_of(dealer) == D("500.005")


def test_positions_count_as_they_are_at_that_place_of_the_stream(
    desk: Harness, traders: dict[str, TradingAccount]
) -> None:
    desk.send(
        desk.place_command(traders["flat"], SELL, 7, 5_000_000),
        desk.place_command(traders["small"], BUY, 7, 5_000_000),
        fix_command(desk),
        desk.place_command(traders["large"], SELL, 7, 4_000_000),
    )
    desk.turn()

    quantities = {row.account_id: row.quantity for row in FundingPayment.objects.all()}
    assert quantities[traders["small"].id] == D("0.001")
    assert quantities[traders["flat"].id] == D("-0.0007")
    assert quantities[traders["large"].id] == D("0.0007")


def test_the_same_funding_acts_once(desk: Harness, traders: dict[str, TradingAccount]) -> None:
    command = fix_command(desk)
    again = msgspec.structs.replace(command, rate=RATE * 2)
    desk.send(command, again)
    desk.turn()
    before = list(FundingPayment.objects.values())
    assert len(before) == 3

    desk.restart()
    assert fix(desk) == Result.DONE
    # By another id it is not taken for another funding either, nor is an older one made up.
    for due_at in (DUE_AT, DUE_AT - INTERVAL):
        fields: dict[str, Any] = {"command_id": new_uuid().bytes, "due_at": to_microseconds(due_at)}
        assert fix(desk, **fields) == Result.NOT_NEEDED
    EngineCommand.objects.all().delete()  # as they are purged after a day
    assert fix(desk) == Result.NOT_NEEDED

    assert list(FundingPayment.objects.values()) == before
    assert Funding.objects.get().rate == D("0.00010001")
    later = DUE_AT + INTERVAL
    following: dict[str, Any] = {
        "command_id": funding_id(desk.instrument.id, later).bytes,
        "due_at": to_microseconds(later),
    }
    assert fix(desk, **following) == Result.DONE
    assert FundingPayment.objects.count() == 6


def test_a_stale_mark_postpones_the_funding(
    desk: Harness, traders: dict[str, TradingAccount]
) -> None:
    age_marks(601)
    desk.restart()
    commands = EngineCommand.objects.count()

    assert fix(desk) == Result.MARK_PRICE_STALE

    assert not Funding.objects.exists()
    assert EngineCommand.objects.count() == commands
    set_mark(desk, 50_000)
    assert fix(desk) == Result.DONE
    assert Funding.objects.get().mark_price == 50_000


def test_what_is_no_perpetual_has_no_funding(desk: Harness, venue: Venue) -> None:
    for instrument_id in (venue.instrument.id, 999_999_999):
        fields: dict[str, Any] = {"command_id": new_uuid().bytes, "instrument_id": instrument_id}
        assert fix(desk, **fields) == Result.UNKNOWN_INSTRUMENT
    assert not Funding.objects.exists()


def test_a_perpetual_without_a_mark_waits_for_one(desk: Harness) -> None:
    ether = make_perpetual("ETH-PERP")
    fields: dict[str, Any] = {"command_id": new_uuid().bytes, "instrument_id": ether.id}
    assert fix(desk, **fields) == Result.MARK_PRICE_STALE
    assert not Funding.objects.exists()


def test_a_batch_that_fails_leaves_nothing(
    desk: Harness, traders: dict[str, TradingAccount]
) -> None:
    """The funding cannot be stored; what stood beside it in the batch is carried out."""
    sequence = desk.engine.state.next_sequence
    unstorable = fix_command(desk, rate=10**9)
    order = desk.place_command(traders["flat"], BUY, 1, 4_000_000)
    refused, placed = desk.carry_out(unstorable, order)

    assert (refused.code, placed.status) == ("engine_error", "OPEN")
    assert not Funding.objects.exists()
    assert not FundingPayment.objects.exists()
    assert desk.engine.state.next_sequence == sequence + 1
    check_all(desk.engine)


# --- pure -----------------------------------------------------------------------------------------


def test_what_is_paid_is_what_is_received_and_the_remainder(desk: Harness) -> None:
    rules = desk.engine.state.instruments[desk.instrument.id]

    @settings(max_examples=200, deadline=None)
    @given(
        some=st.lists(st.integers(-(10**7), 10**7), max_size=8),
        mark=st.integers(1, 10**8),
        rate=st.integers(-(10**7), 10**7),
    )
    def check(some: list[int], mark: int, rate: int) -> None:
        quantities = dict(enumerate([*some, -sum(some)], 1))
        now = to_microseconds(DUE_AT)
        state, changes = ShardState(0), BatchChanges(now, LedgerBatch())
        batch = Batch(state, BatchContext(), changes)
        state.add_instrument(rules)
        state.positions.marks[rules.instrument_id] = LiveMark(mark, now)
        for account_id, quantity in quantities.items():
            state.positions.put(LivePosition(account_id, rules, quantity))
        command = fix_command(desk, rate)

        assert fix_funding(command, batch) == Result.DONE
        assert fix_funding(command, batch) == Result.NOT_NEEDED

        [funding] = changes.fundings
        unit, remainder = rules.fee_unit, funding.paid - funding.received
        assert 0 <= remainder < unit * len(quantities)
        paid = {payment.account_id: payment.amount for payment in funding.payments}
        assert sum(paid.values()) == -remainder
        for account_id, quantity in quantities.items():
            exact = Fraction(-quantity * mark * rules.factor * rate, UNITS8)
            amount = paid.get(account_id, 0)
            assert amount % unit == 0
            assert amount <= exact < amount + unit
        entry_ids = [payment.entry_id for payment in funding.payments]
        assert len(set(entry_ids)) == len(entry_ids)

    check()
