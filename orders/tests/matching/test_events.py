"""Commands and events: a story told exactly, and the same on every run."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

from orders.matching.events import (
    CancelOrder,
    CancelReason,
    Command,
    ExpireDue,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderRested,
    PlaceOrder,
    TradeExecuted,
    replay,
)
from orders.matching.types import OrderType, PriceRule, Side, TimeInForce

BUY, SELL = Side.BUY, Side.SELL
LIMIT, MARKET = OrderType.LIMIT, OrderType.MARKET
GTC, GTD, IOC = TimeInForce.GTC, TimeInForce.GTD, TimeInForce.IOC

STORY: list[Command] = [
    PlaceOrder(7, "a", 1, BUY, LIMIT, GTC, 100, 10),
    PlaceOrder(7, "b", 2, BUY, LIMIT, GTD, 101, 5, valid_until=50),
    PlaceOrder(7, "c", 3, SELL, LIMIT, GTC, 99, 8),
    PlaceOrder(7, "d", 3, BUY, LIMIT, IOC, 90, 4),
    PlaceOrder(7, "e", 3, BUY, MARKET, IOC, None, 4),
    PlaceOrder(7, "f", 3, SELL, LIMIT, GTD, 120, 4, valid_until=60),
    ExpireDue(60),
    PlaceOrder(7, "g", 3, SELL, LIMIT, GTD, 100, 4, valid_until=60),
    CancelOrder(7, "a"),
    CancelOrder(7, "a"),
    CancelOrder(7, "c"),
]


def test_a_story() -> None:
    assert replay(STORY, {7: PriceRule.SELLER}) == [
        OrderAccepted(7, "a", 1),
        OrderRested(7, "a", 10),
        OrderAccepted(7, "b", 2),
        OrderRested(7, "b", 5),
        OrderAccepted(7, "c", 3),
        TradeExecuted(7, "b", "c", 99, 5),
        TradeExecuted(7, "a", "c", 99, 3),
        OrderAccepted(7, "d", 4),
        OrderCanceled(7, "d", 4, CancelReason.IMMEDIATE_OR_CANCEL),
        OrderAccepted(7, "e", 5),
        OrderCanceled(7, "e", 4, CancelReason.NO_LIQUIDITY),
        OrderAccepted(7, "f", 6),
        OrderRested(7, "f", 4),
        OrderExpired(7, "f", 4),
        OrderAccepted(7, "g", 7),
        OrderExpired(7, "g", 4),
        OrderCanceled(7, "a", 7, CancelReason.REQUESTED),
    ]


def test_hash_seeds_do_not_show_in_the_events() -> None:
    program = (
        "from orders.matching.events import replay\n"
        "from orders.matching.types import PriceRule\n"
        "from orders.tests.matching.test_events import STORY, digest\n"
        "print(digest(repr(replay(STORY, {7: PriceRule.SELLER}))))"
    )
    expected = digest(repr(replay(STORY, {7: PriceRule.SELLER})))
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        ran = subprocess.run(
            [sys.executable, "-c", program],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert ran.stdout.strip() == expected


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
