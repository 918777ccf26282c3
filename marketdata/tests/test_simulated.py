"""The simulated walk: the same everywhere, steady, with the volatility that it should have."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from pytest_django import Settings

from marketdata.errors import UnknownTicker
from marketdata.pricing import get_market_price
from marketdata.providers.simulated import simulated_price
from marketdata.tests.factories import make_instrument

MOMENT = datetime(2026, 11, 21, 12, 34, 56, tzinfo=UTC)


def price_at(moment: datetime, symbol: str = "ACME", seed: str = "a") -> Decimal:
    return simulated_price(
        symbol, moment, usual_price=Decimal(100), volatility=Decimal("0.30"), seed=seed
    )


def test_every_process_sees_the_same_price() -> None:
    program = (
        "import django; django.setup()\n"
        "from marketdata.tests.test_simulated import MOMENT, price_at\n"
        "print(price_at(MOMENT))"
    )

    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert printed.stdout.strip() == str(price_at(MOMENT))


def test_the_walk_is_written_down() -> None:
    assert str(price_at(MOMENT)).startswith("89.16443871586244")


def test_symbols_and_seeds_have_walks_of_their_own() -> None:
    walks = {price_at(MOMENT), price_at(MOMENT, "OTHER"), price_at(MOMENT, seed="b")}

    assert len(walks) == 3


def test_the_walk_moves_by_small_steps_also_over_midnight() -> None:
    midnight = datetime(2026, 11, 22, tzinfo=UTC)
    prices = [price_at(midnight + timedelta(seconds=one)) for one in range(-60, 60)]

    steps = [abs(after / before - 1) for before, after in pairwise(prices)]

    # A second of 30 % a year is 0.0000534; six times that hardly ever happens.
    assert 0 < max(steps) < Decimal("0.00032")
    assert len(set(prices)) > 100


def test_days_move_by_the_volatility_and_stay_near_the_usual_price() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    logarithms = [price_at(start + timedelta(days=one)).ln() for one in range(400)]
    moves = [after - before for before, after in pairwise(logarithms)]

    yearly = (sum((move * move for move in moves), Decimal(0)) / len(moves) * 365).sqrt()

    assert Decimal("0.26") < yearly < Decimal("0.34")
    usual = Decimal(100).ln()
    assert max(abs(one - usual) for one in logarithms) < Decimal("0.45")


@pytest.mark.django_db
@pytest.mark.usefixtures("valkey")
def test_what_is_simulated_says_so(settings: Settings) -> None:
    make_instrument("ACME")

    for symbol, low, high in (("ACME", 5, 1000), ("AAPL", 50, 150), ("BTC-USD", 15_000, 240_000)):
        price = get_market_price(symbol=symbol)
        assert (price.source, price.is_simulated) == ("simulated", True)
        assert low < price.price < high
        assert price.as_of.microsecond == 0
    for symbol in ("NOPE", "NOPE-USD", "BTC-JPY"):
        with pytest.raises(UnknownTicker):
            get_market_price(symbol=symbol)
