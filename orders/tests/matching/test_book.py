"""The rules of one book, as tables; each test runs on the fast book and on the oracle."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orders.matching.book import OrderBook
from orders.matching.types import Order, OrderType, PriceRule, Side
from orders.tests.matching.builders import (
    BOOKS,
    Book,
    buy,
    ids,
    market_buy,
    market_sell,
    rest,
    sell,
    trades,
)
from orders.tests.matching.validation import check_book

SELLER, MAKER = PriceRule.SELLER, PriceRule.MAKER


@pytest.fixture(params=BOOKS)
def book(request: pytest.FixtureRequest) -> Book:
    made: Book = request.param(SELLER)
    return made


def check(book: Book) -> None:
    if isinstance(book, OrderBook):
        check_book(book)


@pytest.mark.parametrize("book_type", BOOKS)
@pytest.mark.parametrize(
    ("rule", "resting", "taker", "price"),
    [
        (SELLER, lambda: sell(95, 10), lambda: buy(100, 10), 95),
        (SELLER, lambda: buy(100, 10), lambda: sell(95, 10), 95),
        (SELLER, lambda: buy(100, 10), lambda: sell(100, 10), 100),
        (SELLER, lambda: buy(100, 10), lambda: sell(95, 10, ioc=True), 95),
        (SELLER, lambda: buy(100, 10), lambda: market_sell(None, 10), 100),
        (SELLER, lambda: buy(100, 10), lambda: market_sell(90, 10), 100),
        (SELLER, lambda: sell(95, 10), lambda: market_buy(None, 10), 95),
        (SELLER, lambda: sell(95, 10), lambda: market_buy(99, 10), 95),
        (MAKER, lambda: sell(95, 10), lambda: buy(100, 10), 95),
        (MAKER, lambda: buy(100, 10), lambda: sell(95, 10), 100),
        (MAKER, lambda: buy(100, 10), lambda: market_sell(None, 10), 100),
        (MAKER, lambda: buy(100, 10), lambda: market_sell(90, 10), 100),
        (MAKER, lambda: sell(95, 10), lambda: market_buy(None, 10), 95),
    ],
)
def test_price_of_a_trade(
    book_type: type[Book],
    rule: PriceRule,
    resting: Callable[[], Order],
    taker: Callable[[], Order],
    price: int,
) -> None:
    book = book_type(rule)
    maker, incoming = resting(), taker()
    rest(book, maker)
    assert [(e.price, e.quantity) for e in book.place(incoming)] == [(price, 10)]
    assert (maker.remaining, incoming.remaining, len(book)) == (0, 0, 0)


def test_seller_rule_gives_the_whole_sweep_the_sellers_price(book: Book) -> None:
    rest(book, buy(100, 5, id=1), buy(98, 5, id=2), buy(95, 5, id=3))
    assert trades(book.place(sell(96, 20))) == [(1, 96, 5), (2, 96, 5)]


def test_the_price_rule_of_a_book_can_be_changed(book: Book) -> None:
    rest(book, buy(100, 5, id=1), buy(98, 5, id=2))
    assert trades(book.place(sell(98, 5))) == [(1, 98, 5)]
    book.price_rule = MAKER
    assert trades(book.place(sell(97, 5))) == [(2, 98, 5)]


def test_best_price_first_then_first_come(book: Book) -> None:
    rest(book, sell(101, 5, id=1), sell(100, 5, id=2), sell(100, 5, id=3), sell(99, 5, id=4))
    taker = buy(101, 18)
    executions = book.place(taker)
    assert trades(executions) == [(4, 99, 5), (2, 100, 5), (3, 100, 5), (1, 101, 3)]
    assert [e.maker_remaining for e in executions] == [0, 0, 0, 2]
    assert [e.taker_remaining for e in executions] == [13, 8, 3, 0]
    assert book.depth(5) == ([], [(101, 2, 1)])
    check(book)


@pytest.mark.parametrize("limit", [99, 98, 1])
def test_a_limit_that_does_not_reach_trades_nothing(book: Book, limit: int) -> None:
    rest(book, sell(100, 5, id=1))
    taker = buy(limit, 5, ioc=True)
    assert book.place(taker) == []
    assert taker.remaining == 5
    assert book.depth(5) == ([], [(100, 5, 1)])


def test_matching_an_empty_book(book: Book) -> None:
    for taker in (
        buy(1, 5, ioc=True),
        sell(1, 5, ioc=True),
        market_buy(None, 5),
        market_sell(None, 5),
    ):
        assert book.place(taker) == []
        assert taker.remaining == 5
    assert (book.best_bid, book.best_ask) == (None, None)
    assert len(book) == 0


def test_what_remains_of_an_ioc_never_rests(book: Book) -> None:
    rest(book, sell(100, 5))
    taker = buy(100, 8, ioc=True)
    book.place(taker)
    assert taker.remaining == 3
    assert len(book) == 0
    assert not taker.is_resting


def test_a_partial_fill_keeps_the_front_of_the_queue(book: Book) -> None:
    rest(book, buy(100, 10, id=1), buy(100, 10, id=2))
    assert trades(book.place(sell(100, 4))) == [(1, 100, 4)]
    assert trades(book.place(sell(100, 8))) == [(1, 100, 6), (2, 100, 2)]
    assert ids(book) == [2]
    assert book.depth(1) == ([(100, 8, 1)], [])
    check(book)


def test_a_market_order_with_a_bound_stops_at_it(book: Book) -> None:
    rest(book, sell(100, 5, id=1), sell(110, 5, id=2), sell(111, 5, id=3))
    taker = market_buy(110, 15)
    assert trades(book.place(taker)) == [(1, 100, 5), (2, 110, 5)]
    assert taker.remaining == 5


@pytest.mark.parametrize("gone", [[1], [2], [3], [1, 2], [1, 3], [2, 3], [3, 2, 1], [1, 2, 3]])
def test_cancel_anywhere_in_the_queue(book: Book, gone: list[int]) -> None:
    rest(book, sell(100, 5, id=1), sell(100, 5, id=2), sell(100, 5, id=3), sell(101, 5, id=4))
    for order_id in gone:
        canceled = book.cancel(order_id)
        assert canceled is not None
        assert (canceled.order_id, canceled.remaining) == (order_id, 5)
        assert book.get(order_id) is None
        assert book.cancel(order_id) is None
        check(book)
    left = [order_id for order_id in (1, 2, 3) if order_id not in gone]
    assert ids(book) == [*left, 4]
    assert book.best_ask == (100 if left else 101)
    expected = [(order_id, 100, 5) for order_id in left] + [(4, 101, 5)]
    assert trades(book.place(market_buy(None, 100))) == expected


def test_a_filled_or_unknown_order_cannot_be_canceled(book: Book) -> None:
    rest(book, sell(100, 5, id=1))
    book.place(buy(100, 5))
    assert book.cancel(1) is None
    assert book.cancel(99) is None


def test_an_id_is_free_again_after_a_cancel(book: Book) -> None:
    rest(book, sell(100, 5, id=1), sell(100, 5, id=2))
    book.cancel(1)
    rest(book, sell(100, 7, id=1))
    assert trades(book.place(buy(100, 12))) == [(2, 100, 5), (1, 100, 7)]


def test_the_same_order_rests_again_at_the_back(book: Book) -> None:
    rest(book, sell(100, 5, id=1), sell(100, 5, id=2))
    order = book.cancel(1)
    assert order is not None
    rest(book, order)
    assert ids(book) == [2, 1]
    check(book)


def test_best_prices_follow_cancels_down_the_levels(book: Book) -> None:
    rest(book, *(buy(price, 1, id=price) for price in (100, 99, 97)))
    for order_id, best in ((100, 99), (97, 99), (99, None)):
        book.cancel(order_id)
        assert book.best_bid == best


def test_reduce_keeps_the_place(book: Book) -> None:
    rest(book, buy(100, 10, id=1), buy(100, 10, id=2))
    reduced = book.reduce(1, 4)
    assert reduced is not None
    assert reduced.remaining == 4
    assert book.depth(1) == ([(100, 14, 2)], [])
    assert trades(book.place(sell(100, 5))) == [(1, 100, 4), (2, 100, 1)]
    assert book.reduce(1, 1) is None
    check(book)


@pytest.mark.parametrize("remaining", [0, -1, 11])
def test_reduce_to_nothing_or_to_more_is_refused(book: Book, remaining: int) -> None:
    rest(book, buy(100, 10, id=1))
    with pytest.raises(AssertionError):
        book.reduce(1, remaining)
    assert book.depth(1) == ([(100, 10, 1)], [])


def test_an_order_is_not_rested_twice_or_without_a_price(book: Book) -> None:
    rest(book, buy(100, 10, id=1))
    for wrong in (buy(101, 1, id=1), buy(None, 5)):
        with pytest.raises(AssertionError):
            book.place(wrong)
    assert book.depth(5) == ([(100, 10, 1)], [])
    check(book)


def test_depth_is_by_level_best_first(book: Book) -> None:
    rest(book, buy(99, 5), buy(98, 3), buy(99, 2), sell(101, 1), sell(103, 4), sell(102, 2))
    assert book.depth(2) == ([(99, 7, 2), (98, 3, 1)], [(101, 1, 1), (102, 2, 1)])
    assert book.depth(0) == ([], [])
    assert book.open_quantity(Side.BUY) == 10
    assert book.open_quantity(Side.SELL) == 7


@pytest.mark.parametrize(
    ("rule", "side", "limit", "quantity", "order_type", "quoted"),
    [
        (SELLER, Side.BUY, 101, 8, OrderType.LIMIT, (8, 5 * 100 + 3 * 101)),
        (SELLER, Side.BUY, 100, 8, OrderType.LIMIT, (5, 500)),
        (SELLER, Side.BUY, None, 99, OrderType.MARKET, (10, 500 + 505)),
        (SELLER, Side.SELL, 97, 8, OrderType.LIMIT, (8, 8 * 97)),
        (SELLER, Side.SELL, 97, 8, OrderType.MARKET, (8, 5 * 99 + 3 * 97)),
        (SELLER, Side.SELL, None, 8, OrderType.LIMIT, (8, 5 * 99 + 3 * 97)),
        (SELLER, Side.SELL, 100, 8, OrderType.LIMIT, (0, 0)),
        (MAKER, Side.SELL, 97, 8, OrderType.LIMIT, (8, 5 * 99 + 3 * 97)),
        (MAKER, Side.BUY, 101, 8, OrderType.LIMIT, (8, 5 * 100 + 3 * 101)),
    ],
)
@pytest.mark.parametrize("book_type", BOOKS)
def test_quote(
    book_type: type[Book],
    rule: PriceRule,
    side: Side,
    limit: int | None,
    quantity: int,
    order_type: OrderType,
    quoted: tuple[int, int],
) -> None:
    book = book_type(rule)
    rest(book, sell(100, 2), sell(100, 3), sell(101, 5), buy(99, 5), buy(97, 5))
    before = book.depth(9)
    assert book.quote(side, limit, quantity, order_type) == quoted
    assert book.depth(9) == before


def test_reachable_accounts_are_those_of_the_touched_orders(book: Book) -> None:
    rest(book, sell(100, 5, account=1), sell(100, 5, account=2), sell(101, 5, account=3))
    assert book.reachable_accounts(Side.BUY, 100, 5) == {1}
    assert book.reachable_accounts(Side.BUY, 100, 6) == {1, 2}
    assert book.reachable_accounts(Side.BUY, None, 11) == {1, 2, 3}
    assert book.reachable_accounts(Side.BUY, 99, 11) == set()
    assert book.reachable_accounts(Side.BUY, 100, 0) == set()
    assert book.reachable_accounts(Side.SELL, None, 11) == set()


def test_negative_prices_are_prices_too(book: Book) -> None:
    rest(book, buy(-5, 1, id=1), buy(-7, 1, id=2), sell(3, 1, id=3), sell(-4, 1, id=4))
    assert (book.best_bid, book.best_ask) == (-5, -4)
    assert trades(book.place(market_sell(None, 2))) == [(1, -5, 1), (2, -7, 1)]
    assert trades(book.place(buy(3, 2))) == [(4, -4, 1), (3, 3, 1)]


def test_an_order_says_what_it_is() -> None:
    assert repr(buy(100, 5, id=7)).startswith("<Order 7: BUY 5/5 at 100, sequence ")
    assert "SELL 5/5 at any price" in repr(market_sell(None, 5))
