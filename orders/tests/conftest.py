"""Fixtures of the tests of orders."""

from orders.tests.fixtures import _free_seats, alpha, beta, engine

__all__ = ["_free_seats", "alpha", "beta", "engine"]
