"""What Valkey shows of deep books: only what changed is written, and it is the whole book."""

import random
from typing import Any

import pytest

from common.valkey_socket import ValkeySocket
from marketdata.snapshots import CHANGES_MAX, DEPTH, book_key, read_snapshot
from orders.engine.process.publisher import Publisher
from orders.tests.engine.harness import BUY, SELL, Harness, make_account
from orders.tests.engine.invariants import check_shown_books


@pytest.fixture
def whole_writes(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each book that was written: whether as a snapshot."""
    written: list[bool] = []
    send = ValkeySocket.send

    def watched(self: Any, commands: Any) -> None:
        for command in commands:
            if command[0] == "EVAL":
                first = 3 + command[2] + 2
                written.extend(base == "" for base in command[first::2])
        send(self, commands)

    monkeypatch.setattr(ValkeySocket, "send", watched)
    return written


def random_commands(harness: Harness, draw: random.Random, accounts: Any, placed: Any) -> list[Any]:
    commands: list[Any] = []
    for _ in range(draw.randint(1, 30)):
        account, side = draw.choice(accounts), draw.choice((BUY, SELL))
        kind = draw.random()
        if kind < 0.3 and placed:
            owner, order_id = draw.choice(placed)
            commands.append(harness.cancel_command(owner, order_id))
            continue
        distance = draw.randint(1, 150) if kind < 0.9 else draw.randint(-30, 0)
        price = 1_000 - distance if side is BUY else 1_000 + distance
        fields: dict[str, Any] = {}
        if kind > 0.98:
            fields["client_order_id"] = "x" * 65  # the whole batch is rolled back
        elif kind > 0.8:
            fields["valid_until"] = harness.clock() + draw.randint(-1, 50) * 1_000
        command = harness.place_command(account, side, draw.randint(1, 9), price, **fields)
        placed.append((account, command.command_id))
        commands.append(command)
    return commands


@pytest.mark.parametrize("seed", range(3))
def test_the_shown_book_is_the_book_after_every_batch(
    harness: Harness, whole_writes: list[bool], seed: int
) -> None:
    draw = random.Random(seed)
    accounts = [make_account(name=name) for name in "ABC"]
    placed: list[Any] = []
    for _ in range(40):
        event = draw.random()
        if event < 0.05:
            harness.restart()
        elif event < 0.1:
            harness.client.delete(book_key(0, harness.instrument.id))
        harness.carry_out(*random_commands(harness, draw, accounts, placed))
        harness.turn()  # a book that was lost is shown again at the next turn
        check_shown_books(harness.engine)
    assert whole_writes.count(False) > 10
    assert whole_writes.count(True) > 3


def test_a_batch_writes_the_levels_that_it_touched(
    harness: Harness, whole_writes: list[bool]
) -> None:
    account = make_account()
    harness.carry_out(*[harness.place_command(account, BUY, 1, 100 + n) for n in range(200)])
    harness.engine._publisher.forget_books()
    whole_writes.clear()
    for price in range(300, 300 + CHANGES_MAX + 2):
        harness.place(account, BUY, 1, price)
        check_shown_books(harness.engine)
    # The first write is whole; when more levels have changed than the limit, another is.
    assert whole_writes == [True] + [False] * CHANGES_MAX + [True]


def test_levels_farther_away_than_the_snapshot_are_not_shown_before_it_is_written_again(
    harness: Harness,
) -> None:
    account = make_account()
    orders = [harness.place_command(account, SELL, 1, 1_000 + n) for n in range(200)]
    harness.carry_out(*orders)
    harness.place(account, SELL, 1, 5_000)
    check_shown_books(harness.engine)
    for number in range(DEPTH + 5):
        harness.cancel(account, orders[number].command_id)
        check_shown_books(harness.engine)


def test_a_server_with_the_books_of_an_earlier_time_is_noticed(harness: Harness) -> None:
    """As a Valkey that starts with a dump of some minutes ago."""
    account = make_account()
    harness.place(account, BUY, 1, 1_000)
    name = book_key(0, harness.instrument.id)
    before = harness.client.dump(name)
    assert before is not None
    harness.engine._publisher.forget_books()
    harness.place(account, BUY, 2, 1_001)
    harness.client.restore(name, 0, before, replace=True)
    harness.place(account, BUY, 3, 1_002)
    harness.turn()
    check_shown_books(harness.engine)


def test_what_a_failed_batch_would_have_shown_is_not_shown_later(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = make_account()
    harness.place(account, BUY, 1, 1_000)
    bad = harness.place_command(account, BUY, 7, 999, client_order_id="x" * 65)
    harness.carry_out(harness.place_command(account, BUY, 5, 999), bad)
    check_shown_books(harness.engine)
    snapshot = read_snapshot(harness.client, shard=0, instrument_id=harness.instrument.id)
    assert snapshot is not None
    assert snapshot.bids == [(1_000, 1, 1), (999, 5, 1)]
    # Composed, and lost on its way.
    with monkeypatch.context() as patch:
        patch.setattr(Publisher, "publish_committed", lambda self, *_: self._fall_behind("lost"))
        harness.engine.turn()
        harness.send(harness.place_command(account, BUY, 2, 998))
        harness.engine.turn()
    harness.place(account, BUY, 1, 997)
    check_shown_books(harness.engine)
