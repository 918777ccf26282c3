"""The sorted chunks of price levels."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orders.matching import ladder as ladders
from orders.matching.ladder import Ladder, Level
from orders.tests.matching.builders import buy


@pytest.fixture(autouse=True, scope="module")
def _short_chunks() -> Iterator[None]:
    usual = ladders.CHUNK_LIMIT
    ladders.CHUNK_LIMIT = 4
    yield
    ladders.CHUNK_LIMIT = usual


def level(key: int) -> Level:
    return Level(key, key, buy(key, 1))


def filled(keys: list[int]) -> Ladder:
    ladder = Ladder()
    for key in keys:
        ladder.open(level(key))
    return ladder


def keys_of(ladder: Ladder) -> list[int]:
    return [level.key for level in ladder.walk()]


@settings(deadline=None)
@given(st.lists(st.integers(-30, 30)))
def test_a_ladder_is_a_sorted_set_of_keys(toggled: list[int]) -> None:
    ladder, present = Ladder(), set[int]()
    for key in toggled:
        if key in present:
            ladder.close(key)
        else:
            ladder.open(level(key))
        present ^= {key}
        expected = sorted(present, reverse=True)
        assert keys_of(ladder) == expected
        assert ladder.top[-1:] == expected[:1]
        assert [found.key for found in ladder.best(3)] == expected[:3]
        assert all(ladder.chunks) or not present


@pytest.mark.parametrize("step", [1, -1])
def test_a_ladder_that_walks_away_keeps_no_chunk_behind(step: int) -> None:
    ladder = filled([0])
    for key in range(0, 500 * step, step):
        ladder.open(level(key + step))
        ladder.close(key)
    assert keys_of(ladder) == [500 * step]
    assert len(ladder.chunks) <= 2


def test_chunks_are_short_and_go_when_empty() -> None:
    keys = list(range(300))
    Random(1).shuffle(keys)
    ladder = filled(keys)
    assert max(len(chunk) for chunk in ladder.chunks) <= 4
    assert len(ladder.chunks) <= 150
    Random(2).shuffle(keys)
    for key in keys:
        ladder.close(key)
    assert ladder.chunks == [[]]
    assert ladder.floors == []
    assert ladder.top is ladder.chunks[0]
    assert ladder.levels == {}
