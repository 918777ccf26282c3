"""Fixtures of the tests of what spans the apps."""

from orders.tests.fixtures import _quiet_end, both_lanes, engine

__all__ = ["_quiet_end", "both_lanes", "engine"]
