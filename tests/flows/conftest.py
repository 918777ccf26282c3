"""Fixtures of the stories: a living venue on real servers."""

from orders.tests.fixtures import _free_seats, engine

__all__ = ["_free_seats", "engine"]
