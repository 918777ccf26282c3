"""Whatever is asked of the ledger, in whatever order and at once: the books are what callers know.

A stateful machine over deposits, transfers of one and two steps, batches, conversions, requests
with approvals, corrections, reversals and trades. After every step: each asset sums to zero, each
balance is the sum of its postings, what is held is what holds it, nobody is beyond their limit,
all checks of `check_ledger` are clean, and the journal is exactly what the callers were told.
"""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from common.errors import ExchangeError
from ledger.tests.wallets import counts, picture
from orders.matching.types import Side
from orders.tests.emptying import empty_tables
from tests.properties import operations as do
from tests.properties.operations import Act, Again, Operation, Trade
from tests.properties.world import CURRENCIES, make_world

# Within a minute on a slow machine; the same steps in every run.
_EXAMPLES, _STEPS = 8, 30
_TOGETHER_SECONDS_MAX = 30

_wallets = st.integers(0, 7)
_clients = st.integers(0, 3)
_back = st.sampled_from([0, 0, 0, 1, 2])
_people = st.integers(0, 2)
_amounts = st.sampled_from(["0.0001", "0.05", "1", "7.5", "20", "33.3333", "60", "150"]).map(
    Decimal
)
_whole_amounts = st.integers(1, 50).map(Decimal)
_shares = st.sampled_from([None, None, "1", "0.5", "2"]).map(lambda share: share and Decimal(share))

_payments = st.builds(
    do.Pay,
    _wallets,
    st.sampled_from([2, 4, 6, 2, 4, 6, 2, 4, 6, 1, 0]),
    _amounts,
    st.sampled_from([None, 60, 60, 0]),
)
_batches = st.lists(_payments, min_size=2, max_size=4).map(tuple)
_trades = st.builds(
    Trade,
    _clients,
    st.sampled_from([Side.BUY, Side.SELL]),
    st.sampled_from([1, 2, 3, 5, 8, 0]),
    st.sampled_from([199, 200, 201, 200, None]),
    _back,
)
_operations: st.SearchStrategy[Operation] = st.one_of(
    _payments,
    _payments,
    _trades,
    _trades,
    st.builds(do.PayTogether, _batches, st.booleans()),
    st.builds(do.PostPending, _back, _shares),
    st.builds(do.PostPending, _back, _shares),
    st.builds(do.VoidPending, _back, st.booleans()),
    st.builds(do.SweepTimeouts),
    st.builds(do.Deposit, _clients, st.sampled_from([*CURRENCIES, "ACME"]), _whole_amounts),
    st.builds(do.Quote, _wallets, _amounts),
    st.builds(do.Convert, _back),
    st.builds(do.Ask, st.sampled_from(do.ASKED), _wallets, _amounts),
    st.builds(do.AskReversal, _back),
    st.builds(do.Decide, st.sampled_from(do.DECISIONS), _back, _people),
    st.builds(do.Decide, st.just("approve"), _back, _people),
    st.builds(do.Reverse, _back),
    st.builds(do.SetWallet, _wallets, st.sampled_from([True, True, True, False])),
    st.builds(Again, _back),
)


class LedgerMachine(RuleBasedStateMachine):
    """One venue, from its first deposit on."""

    def __init__(self) -> None:
        super().__init__()
        self.world = make_world()

    @rule(operation=_operations)
    def alone(self, operation: Operation) -> None:
        """A refusal changes no balance, hold or version."""
        act = operation.plan(self.world)
        before = picture()
        if act is not None and _is_refused(operation, act):
            assert picture() == before, "a refusal changed something"

    @rule(operations=st.lists(_operations, min_size=2, max_size=4))
    def at_once(self, operations: list[Operation]) -> None:
        """Each on a connection of its own; all orders in one batch of the engine."""
        others = [one for one in operations if not isinstance(one, Trade)]
        planned = [(one, one.plan(self.world)) for one in others]
        acts = [(one, act) for one, act in planned if act is not None]
        orders = [one for one in operations if isinstance(one, Trade)]
        commands = [one for one in (order.command(self.world) for order in orders) if one]
        if commands:
            acts.append((orders[0], lambda: do._no_answer(self.world.trade(commands))))
        if acts:
            _together(acts)

    @rule(again=st.builds(Again, st.integers(0, 20)), times=st.integers(1, 3))
    def the_same_again(self, again: Again, times: int) -> None:
        """However often and at once, a request that was done before changes nothing."""
        act = again.plan(self.world)
        if act is not None:
            before = picture(), counts()
            _together([(again, act)] * times)
            assert (picture(), counts()) == before, "a repeat changed something"

    @invariant()
    def the_books_are_right(self) -> None:
        self.world.check()

    def teardown(self) -> None:
        self.world.close()


def _is_refused(operation: Operation, act: Act) -> bool:
    try:
        act()
    except ExchangeError as error:
        assert error.code in operation.refusals, f"{operation}: {error.code}"
        return True
    return False


def _together(acts: list[tuple[Operation, Act]]) -> None:
    """Start all at once, in threads with their own connections, and wait for the last."""
    barrier = threading.Barrier(len(acts))

    def run(operation: Operation, act: Act) -> None:
        try:
            barrier.wait(_TOGETHER_SECONDS_MAX)
            _is_refused(operation, act)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        futures = [pool.submit(run, *one) for one in acts]
        for future in futures:
            future.result(_TOGETHER_SECONDS_MAX)


@pytest.fixture
def empty_venue(transactional_db: None, valkey: Any) -> Iterator[None]:
    """Real servers that hold nothing, before and after."""
    yield
    empty_tables()


def test_the_books_are_what_callers_know(empty_venue: None, settings: Any) -> None:
    settings.WITHDRAWAL_TWO_PERSONS_ABOVE = Decimal(50)
    run_state_machine_as_test(LedgerMachine, settings=_SETTINGS)


_SETTINGS = settings(
    max_examples=_EXAMPLES,
    stateful_step_count=_STEPS,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],  # steps of threads do not shrink: their order is not ours
)
