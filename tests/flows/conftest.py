"""Fixtures of the stories: a living venue on real servers."""

from orders.tests.fixtures import _quiet_end, engine

__all__ = ["_quiet_end", "engine"]
