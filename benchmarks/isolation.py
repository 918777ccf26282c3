"""Calls in a fresh interpreter, so that no measurement pays for what another one left in memory."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def in_new_process(measure: Callable[[], T]) -> T:
    """What `measure` returns when a process of its own calls it; both can be pickled."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=spawn) as executor:
        return executor.submit(measure).result()
