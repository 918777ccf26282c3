"""Fixtures of the tests of orders."""

import pytest

from orders.gateway import admission


@pytest.fixture(autouse=True)
def _free_seats() -> None:
    """No test waits in the seats of another one's settings."""
    admission._forget_seats()
