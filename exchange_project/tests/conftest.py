"""Fixtures of the tests of what spans the apps."""

from orders.tests.fixtures import _free_seats, _quiet_end, engine

__all__ = ["_free_seats", "_quiet_end", "engine"]
