"""The engine trades an account while its collateral moves out and in: neither outruns the other.

The mark stands still and nothing costs fees. So what carried an account's margin once carries it
for good, unless a withdrawal took what an order had just claimed.
"""

import random
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal as D

import pytest
from django.db import connections

from brokers.models import TradingAccount
from common.ids import new_uuid
from common.money import to_units8
from common.reconciliation import one_moment
from exchange_project.reconciliation import check_venue
from ledger.errors import InsufficientFunds
from ledger.models import JournalEntry
from ledger.selectors import find_balance
from ledger.types import AccountKind
from margin.calculations import margin_state
from margin.errors import InsufficientFreeCollateral
from margin.models import Position
from margin.selectors.accounts import list_positions
from margin.services.collateral import move_collateral
from margin.tests.world import make_perpetual, make_trader, order, set_mark
from margin.types import MarginState
from orders.tests.fixtures import Api

_ROUNDS, _ORDERS, _MOVES = 8, 40, 60

Client = tuple[TradingAccount, Api]


@pytest.fixture
def counter(engine: object) -> Client:
    """Trades with whoever comes, on all the collateral that there may be need of."""
    make_perpetual()
    set_mark(50_000)
    return make_trader("Counter", collateral=1_000_000)


@pytest.fixture
def trader(counter: Client) -> Client:
    """2,000 of collateral, which carry 0.2 at 50,000."""
    return make_trader("Trader", collateral=2_000)


def move(account: TradingAccount, amount: str) -> str:
    """Move collateral in, or out where it is negative; what came of it."""
    try:
        move_collateral(
            account_id=account.id,
            asset="USDT",
            amount=D(amount),
            source_id=new_uuid(),
            actor="test",
        )
    except (InsufficientFreeCollateral, InsufficientFunds) as error:
        return error.code
    return "moved"


def place(api: Api, side: str, price: int, quantity: str) -> str:
    """Place an order; its status, or why it was refused."""
    document = api.post("orders", order(side, price, quantity)).json()
    return str(document.get("status") if "id" in document else document["code"])


def money(account: TradingAccount) -> D:
    """Cash and collateral together."""
    found = [
        find_balance(account.id, "USDT", kind) for kind in (AccountKind.CASH, AccountKind.MARGIN)
    ]
    return sum((one.posted_balance for one in found if one is not None), D(0))


def margin_of(account: TradingAccount) -> MarginState:
    """How an account stands, all of it read at one moment."""
    with one_moment():
        collateral = find_balance(account.id, "USDT", AccountKind.MARGIN)
        positions = list_positions(account.id)
    assert collateral is not None
    return margin_state(to_units8(collateral.posted_balance), [one.exposure for one in positions])


def is_carried(account: TradingAccount) -> bool:
    """Whether equity carries the initial margin and what open orders may lose."""
    state = margin_of(account)
    return state.equity >= state.initial_margin + state.loss_reserve


def check_books() -> None:
    assert sum(Position.objects.values_list("quantity", flat=True)) == 0
    assert not [result for result in check_venue(shown_max=5) if result.difference_count]


def at_once(*acts: Callable[[], str]) -> list[str]:
    """What came of acts that begin together, each in a thread of its own."""
    gate = threading.Barrier(len(acts))

    def run(act: Callable[[], str]) -> str:
        try:
            gate.wait()
            return act()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


@pytest.mark.parametrize(("ask", "accepted"), [(50_100, "OPEN"), (50_000, "FILLED")])
def test_an_order_and_a_withdrawal_do_not_both_take_the_same_collateral(
    counter: Client, trader: Client, ask: int, accepted: str
) -> None:
    (account, api), (_, other) = trader, counter
    for _ in range(_ROUNDS):
        assert place(other, "SELL", ask, "0.1") == "OPEN"

        placed, moved = at_once(
            lambda: place(api, "BUY", 50_000, "0.1"), lambda: move(account, "-1000.000001")
        )

        assert (placed, moved) in [
            (accepted, "insufficient_free_collateral"),
            ("insufficient_margin", "moved"),
        ]
        assert is_carried(account)
        # Back to how it began.
        for one in (api, other):
            assert one.post("orders/cancel-all", {}).status_code == 200
        if placed == "FILLED":
            assert place(other, "BUY", 50_000, "0.1") == "OPEN"
            assert place(api, "SELL", 50_000, "0.1") == "FILLED"
        if moved == "moved":
            assert move(account, "1000.000001") == "moved"
    assert money(account) == 2_000
    check_books()


def test_no_withdrawal_takes_what_trading_needs(counter: Client, trader: Client) -> None:
    account, api = trader
    rivals = [trader, counter]
    is_over, seen = threading.Event(), Counter[str]()

    def trade(seed: int) -> str:
        chance = random.Random(seed)
        for _ in range(_ORDERS):
            side, price = chance.choice(["BUY", "SELL"]), 50_000 + chance.randint(-3, 3) * 50
            quantity = chance.choice(["0.02", "0.05", "0.1"])
            seen[place(rivals[seed % 2][1], side, price, quantity)] += 1
            if chance.random() < 0.1:
                api.post("orders/cancel-all", {})
        return "traded"

    def shift(seed: int) -> str:
        chance = random.Random(seed)
        for _ in range(_MOVES):
            amount = str(chance.randint(100, 1_900))
            seen[f"out {move(account, f'-{amount}')}"] += 1
            seen[f"in {move(account, amount)}"] += 1
        return "shifted"

    def watch() -> str:
        looks = 0
        while not is_over.is_set() or not looks:
            assert is_carried(account), margin_of(account)
            looks += 1
        return "watched"

    def work() -> str:
        try:
            acts = [lambda seed=seed: trade(seed) for seed in range(3)]
            at_once(*acts, *[lambda seed=seed: shift(seed) for seed in (10, 11)])
        finally:
            is_over.set()
        return "worked"

    assert at_once(work, watch) == ["worked", "watched"]

    # Both sides were under way, and got into each other's way.
    assert seen["FILLED"] and seen["out moved"] and seen["in moved"], seen
    assert seen["out insufficient_free_collateral"], seen
    assert is_carried(account)
    moves = seen["out moved"] + seen["in moved"]
    assert JournalEntry.objects.filter(kind="COLLATERAL").count() == moves
    for _, one in rivals:
        one.post("orders/cancel-all", {})
    states = [margin_of(one) for one, _ in rivals]
    profit = sum(state.unrealized_pnl for state in states)
    assert to_units8(money(account) + money(counter[0])) + profit == to_units8(D(1_002_000))
    check_books()
