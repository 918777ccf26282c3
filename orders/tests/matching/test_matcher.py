"""Placing, expiring and rebuilding; each test runs on the fast matcher and on the oracle."""

from __future__ import annotations

from random import Random

import pytest

from orders.matching.matcher import Matcher
from orders.matching.types import Order, PriceRule
from orders.tests.matching.builders import (
    MACHINES,
    Machine,
    buy,
    ids,
    market_buy,
    market_sell,
    sell,
    trades,
)


@pytest.fixture(params=MACHINES)
def machine(request: pytest.FixtureRequest) -> Machine:
    made: Machine = request.param()
    made.add_book(1, PriceRule.SELLER)
    made.add_book(2, PriceRule.MAKER)
    return made


def place(machine: Machine, *orders: Order, instrument: int = 1) -> None:
    for order in orders:
        machine.place(instrument, order)


def test_what_remains_of_a_limit_order_rests(machine: Machine) -> None:
    place(machine, sell(100, 5, id=1))
    taker = buy(101, 8, id=2)
    assert trades(machine.place(1, taker)) == [(1, 100, 5)]
    assert machine.books[1].depth(5) == ([(101, 3, 1)], [])
    assert machine.books[1].get(2) is taker


def test_ioc_and_market_orders_never_rest(machine: Machine) -> None:
    place(machine, sell(100, 5), buy(90, 5))
    takers = [buy(101, 8, ioc=True), market_buy(None, 8), market_buy(200, 8), market_sell(1, 8)]
    for taker in takers:
        machine.place(1, taker)
        assert machine.books[1].get(taker.order_id) is None
    assert [taker.remaining for taker in takers] == [3, 8, 8, 3]
    assert len(machine.books[1]) == 0


def test_books_do_not_mix(machine: Machine) -> None:
    place(machine, sell(100, 5, id=1))
    assert machine.place(2, buy(100, 5, id=2)) == []
    assert ids(machine.books[1]) == [1]
    assert ids(machine.books[2]) == [2]
    assert machine.cancel(2, 1) is None
    canceled = machine.cancel(1, 1)
    assert canceled is not None
    assert canceled.remaining == 5


def test_each_book_has_its_price_rule(machine: Machine) -> None:
    for instrument, price in ((1, 95), (2, 100)):
        place(machine, buy(100, 5, id=1), instrument=instrument)
        assert trades(machine.place(instrument, sell(95, 5))) == [(1, price, 5)]


def test_orders_expire_by_time_then_sequence_over_all_books(machine: Machine) -> None:
    first, second, third = (buy(90, 1, id=n, until=50) for n in (1, 2, 3))
    early = sell(110, 1, id=4, until=49)
    late = sell(110, 1, id=5, until=51)
    place(machine, second, late, first)
    place(machine, third, early, instrument=2)
    assert [o.order_id for o in machine.expire(48)] == []
    assert machine.next_expiry_any() == 49
    assert [o.order_id for o in machine.expire(50)] == [4, 1, 2, 3]
    assert (machine.next_expiry(1), machine.next_expiry(2)) == (51, None)
    assert ids(machine.books[1]) == [5]
    assert [o.order_id for o in machine.expire(1_000)] == [5]
    assert machine.next_expiry_any() is None


def test_what_is_due_is_what_would_expire_and_stays() -> None:
    draw, matcher = Random(7), Matcher()
    for book in range(20):
        matcher.add_book(book, PriceRule.SELLER)
    for now in range(1, 400):
        for _ in range(draw.randint(0, 4)):
            until = draw.choice((None, now + draw.randint(1, 60)))
            matcher.place(draw.randrange(20), buy(draw.randint(90, 99), 1, until=until))
        if draw.random() < 0.2:
            book = draw.randrange(20)
            for order in list(matcher.books[book].orders())[:3]:
                matcher.cancel(book, order.order_id)
        due = matcher.due(now)
        assert all(order.is_resting for order in due)
        assert matcher.due(now) == due
        if draw.random() < 0.3:
            assert matcher.expire(now) == due


def test_an_expired_order_no_longer_trades_but_did_just_before(machine: Machine) -> None:
    place(machine, sell(100, 5, id=1, until=50), sell(100, 5, id=2))
    machine.expire(49)
    assert trades(machine.place(1, buy(100, 1))) == [(1, 100, 1)]
    expired = machine.expire(50)
    assert [(o.order_id, o.remaining) for o in expired] == [(1, 4)]
    assert trades(machine.place(1, buy(100, 1))) == [(2, 100, 1)]


@pytest.mark.parametrize("until", [1, 99, 100])
def test_an_order_that_comes_too_late_neither_trades_nor_rests(
    machine: Machine, until: int
) -> None:
    place(machine, sell(100, 5, id=1))
    machine.expire(100)
    late = buy(100, 5, until=until)
    assert machine.place(1, late) == []
    assert late.remaining == 5
    assert ids(machine.books[1]) == [1]
    assert machine.next_expiry_any() is None


def test_next_expiry_forgets_canceled_and_filled_orders(machine: Machine) -> None:
    place(machine, sell(100, 5, id=1, until=50), sell(101, 5, id=2, until=60))
    place(machine, sell(102, 5, id=3, until=70), sell(103, 5, id=4))
    assert machine.next_expiry(1) == 50
    machine.cancel(1, 1)
    assert machine.next_expiry(1) == 60
    machine.place(1, buy(101, 5))
    assert (machine.next_expiry(1), machine.next_expiry_any()) == (70, 70)
    machine.cancel(1, 3)
    assert (machine.next_expiry(1), machine.next_expiry_any()) == (None, None)
    assert machine.expire(1_000) == []


def test_an_order_placed_again_with_another_time_expires_at_that(machine: Machine) -> None:
    order = buy(100, 5, id=1, until=50)
    place(machine, order)
    for sequence, until in ((2_000_000, 80), (2_000_001, 80), (2_000_002, 60)):
        assert machine.cancel(1, 1) is order
        order.valid_until, order.sequence = until, sequence
        place(machine, order)
    assert machine.next_expiry_any() == 60
    assert machine.expire(59) == []
    assert machine.expire(60) == [order]
    assert machine.expire(1_000) == []


def test_an_order_that_lost_its_place_expires_after_those_it_let_pass(machine: Machine) -> None:
    first, second = buy(100, 5, id=1, until=50), buy(100, 5, id=2, until=50)
    place(machine, first, second)
    machine.cancel(1, 1)
    first.sequence = second.sequence + 1
    place(machine, first)
    assert machine.expire(50) == [second, first]


def test_an_order_that_was_given_more_time_has_it(machine: Machine) -> None:
    order = buy(100, 5, id=1, until=50)
    place(machine, order)
    machine.cancel(1, 1)
    order.valid_until = 80
    place(machine, order)
    assert machine.expire(79) == []
    assert machine.next_expiry_any() == 80
    assert machine.expire(80) == [order]


def test_times_are_kept_while_the_earliest_is_canceled_among_many(machine: Machine) -> None:
    place(machine, buy(100, 1, id=1, until=10), buy(100, 1, id=2, until=20))
    machine.cancel(1, 1)
    for number in range(3, 300):
        place(machine, buy(100, 1, id=number, until=1_000))
        machine.cancel(1, number)
    assert [o.order_id for o in machine.expire(20)] == [2]


def test_a_rebuilt_book_has_its_priority_and_its_times(machine: Machine) -> None:
    place(machine, sell(100, 5, id=1, until=50), sell(100, 5, id=2), sell(99, 5, id=3, until=40))
    place(machine, buy(50, 5, id=4, until=45), instrument=2)
    machine.drop_book(1)
    assert machine.next_expiry_any() == 45
    machine.add_book(1, PriceRule.SELLER)
    for order in (sell(100, 4, id=1, until=60), sell(100, 5, id=2)):
        machine.restore(1, order)
    assert machine.next_expiry(1) == 60
    assert [o.order_id for o in machine.expire(55)] == [4]
    assert trades(machine.place(1, buy(100, 5))) == [(1, 100, 4), (2, 100, 1)]


def test_restored_orders_past_their_time_must_expire_before_anything_is_placed() -> None:
    matcher = Matcher()
    matcher.add_book(1, PriceRule.SELLER)
    matcher.expire(100)
    matcher.restore(1, sell(100, 5, id=1, until=100))
    with pytest.raises(AssertionError, match="expire"):
        matcher.place(1, buy(100, 5))
    assert ids(matcher.books[1]) == [1]
    assert [o.order_id for o in matcher.expire(100)] == [1]
    assert matcher.place(1, buy(100, 5)) == []


def test_an_instrument_has_one_book() -> None:
    matcher = Matcher()
    matcher.add_book(1, PriceRule.SELLER)
    with pytest.raises(AssertionError):
        matcher.add_book(1, PriceRule.MAKER)
