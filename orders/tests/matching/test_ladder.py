"""The sorted map of prices and times."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orders.matching import ladder as ladders
from orders.matching.ladder import Ladder
from orders.tests.matching.validation import check_ladder


@pytest.fixture(autouse=True, scope="module")
def _short_chunks() -> Iterator[None]:
    usual = ladders.CHUNK_LIMIT
    ladders.CHUNK_LIMIT = 4
    yield
    ladders.CHUNK_LIMIT = usual


def filled(keys: list[int]) -> Ladder[str]:
    ladder: Ladder[str] = Ladder()
    for key in keys:
        ladder.add(key, str(key))
    return ladder


@settings(deadline=None)
@given(st.lists(st.integers(-30, 30)))
def test_a_ladder_is_a_sorted_set_of_keys(toggled: list[int]) -> None:
    ladder, present = filled([]), set[int]()
    for key in toggled:
        if key in present:
            assert ladder.remove(key) == str(key)
        else:
            ladder.add(key, str(key))
        present ^= {key}
        check_ladder(ladder)
        expected = sorted(present, reverse=True)
        assert ladder.top[-1:] == expected[:1]
        assert list(ladder.walk()) == [str(key) for key in expected]
        assert ladder.best(3) == [str(key) for key in expected[:3]]


@pytest.mark.parametrize("step", [1, -1])
def test_a_ladder_that_walks_away_keeps_no_chunk_behind(step: int) -> None:
    ladder = filled([0])
    for key in range(0, 500 * step, step):
        ladder.add(key + step, str(key + step))
        ladder.remove(key)
    assert list(ladder.walk()) == [str(500 * step)]
    assert len(ladder.chunks) <= 2


def test_chunks_are_short_and_go_when_empty() -> None:
    keys = list(range(300))
    Random(1).shuffle(keys)
    ladder = filled(keys)
    assert max(len(chunk) for chunk in ladder.chunks) <= 4
    assert len(ladder.chunks) <= 150
    Random(2).shuffle(keys)
    for key in keys:
        ladder.remove(key)
    assert ladder.chunks == [[]]
    assert ladder.floors == []
    assert ladder.top is ladder.chunks[0]
    assert ladder.items == {}
