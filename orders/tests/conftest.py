"""Fixtures of the tests of orders."""

from orders.tests.dealing import prices
from orders.tests.fixtures import _quiet_end, alpha, beta, both_lanes, engine

__all__ = ["_quiet_end", "alpha", "beta", "both_lanes", "engine", "prices"]
