"""Fixtures of margin's tests: those of a living venue."""

from orders.tests.fixtures import _free_seats, _quiet_end, engine

__all__ = ["_free_seats", "_quiet_end", "engine"]
