"""Many callers in one round: each gets its own outcome, its own error, and after the COMMIT."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from ledger.services.transfers.combining import Combiner, RoundBroken

PATIENCE_SECONDS = 10
FOR_ALL = 1_000_013  # breaks the round for everybody
STOP = 1_000_099  # stops the thread that leads the round


class Rounds:
    """Doubles numbers; refuses negative ones; remembers its rounds; waits where it is told to."""

    def __init__(self) -> None:
        self.seen: list[list[int]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.started = threading.Event()

    def run(self, items: Sequence[int]) -> list[int]:
        self.seen.append(list(items))
        self.started.set()
        assert self.gate.wait(PATIENCE_SECONDS)
        if FOR_ALL in items:
            raise ConnectionError("everybody's")
        if STOP in items:
            raise SystemExit
        if any(item < 0 for item in items):
            raise ValueError(f"negative among {list(items)}")
        return [2 * item for item in items]


def make(rounds: Rounds, max_size: int = 100) -> Combiner[int, int]:
    return Combiner(
        rounds.run,
        max_size=max_size,
        is_divisible=lambda error: not isinstance(error, ConnectionError),
    )


def submit_all(combiner: Combiner[int, int], rounds: Rounds, items: list[int]) -> list[object]:
    """Outcomes or errors: the first item runs while all the others queue up."""

    def submit(item: int) -> object:
        try:
            return combiner.submit(item)
        except BaseException as error:
            return error

    rounds.gate.clear()
    with ThreadPoolExecutor(len(items)) as pool:
        futures = [pool.submit(submit, items[0])]
        assert rounds.started.wait(PATIENCE_SECONDS)
        futures += [pool.submit(submit, item) for item in items[1:]]
        while len(combiner._waiting) < len(items) - 1:
            threading.Event().wait(0.001)
        rounds.gate.set()
        return [future.result(PATIENCE_SECONDS) for future in futures]


def test_who_is_alone_runs_alone() -> None:
    rounds = Rounds()
    combiner = make(rounds)

    assert [combiner.submit(1), combiner.submit(2)] == [2, 4]
    assert rounds.seen == [[1], [2]]


def test_those_that_come_meanwhile_share_the_next_round() -> None:
    rounds = Rounds()
    combiner = make(rounds)

    outcomes = submit_all(combiner, rounds, list(range(50)))

    assert outcomes == [2 * item for item in range(50)]
    assert [len(items) for items in rounds.seen] == [1, 49]
    assert combiner.submit(1) == 2


def test_a_round_has_a_largest_size() -> None:
    rounds = Rounds()

    outcomes = submit_all(make(rounds, max_size=4), rounds, list(range(10)))

    assert outcomes == [2 * item for item in range(10)]
    assert [len(items) for items in rounds.seen] == [1, 4, 4, 1]


def test_an_error_reaches_only_who_is_to_blame() -> None:
    rounds = Rounds()
    items = [1, 2, 3, -4, 5, 6, 7, -8, 9]

    outcomes = submit_all(make(rounds), rounds, items)

    for item, outcome in zip(items, outcomes, strict=True):
        if item < 0:
            assert isinstance(outcome, ValueError) and str(outcome) == f"negative among [{item}]"
        else:
            assert outcome == 2 * item


def test_an_error_of_all_is_everybodys_and_not_tried_again() -> None:
    rounds = Rounds()

    outcomes = submit_all(make(rounds), rounds, [1, 2, FOR_ALL, 4])

    assert outcomes[0] == 2
    assert all(isinstance(outcome, ConnectionError) for outcome in outcomes[1:])
    assert len(rounds.seen) == 2


def test_a_leader_that_is_stopped_leaves_nobody_waiting() -> None:
    rounds = Rounds()
    combiner = make(rounds, max_size=2)

    outcomes = submit_all(combiner, rounds, [1, STOP, 3, 4])

    kinds = sorted(type(outcome).__name__ for outcome in outcomes)
    assert "SystemExit" in kinds or "RoundBroken" in kinds
    assert all(isinstance(outcome, (int, SystemExit, RoundBroken)) for outcome in outcomes)
    assert combiner.submit(5) == 10


def test_many_threads_at_once_lose_nothing() -> None:
    rounds = Rounds()
    combiner = make(rounds)

    with ThreadPoolExecutor(50) as pool:
        outcomes = list(pool.map(combiner.submit, range(1_000)))

    assert outcomes == [2 * item for item in range(1_000)]
    assert sorted(item for items in rounds.seen for item in items) == list(range(1_000))


@pytest.mark.parametrize("item", [-1, FOR_ALL])
def test_after_an_error_all_goes_on(item: int) -> None:
    rounds = Rounds()
    combiner = make(rounds)

    with pytest.raises((ValueError, ConnectionError)):
        combiner.submit(item)

    assert combiner.submit(1) == 2
