"""Fixtures of the tests of orders."""

from orders.tests.fixtures import _free_seats, engine

__all__ = ["_free_seats", "engine"]
