"""Fixtures of margin's tests: those of a living venue."""

from orders.tests.fixtures import _quiet_end, engine

__all__ = ["_quiet_end", "engine"]
