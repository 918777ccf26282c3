"""Fixtures of the tests of orders."""

from orders.tests.dealing import prices
from orders.tests.fixtures import _free_seats, _quiet_end, alpha, beta, engine

__all__ = ["_free_seats", "_quiet_end", "alpha", "beta", "engine", "prices"]
