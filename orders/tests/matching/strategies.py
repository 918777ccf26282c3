"""Random streams of commands: few prices, few instruments, so that much of it meets."""

from __future__ import annotations

from collections.abc import Hashable

from hypothesis import strategies as st

from orders.matching.events import CancelOrder, Command, ExpireDue, PlaceOrder
from orders.matching.types import OrderType, PriceRule, Side, TimeInForce

PRICE_RULES = {1: PriceRule.SELLER, 2: PriceRule.MAKER}

_instruments = st.sampled_from(sorted(PRICE_RULES))
_limits = st.sampled_from([TimeInForce.GTC, TimeInForce.GTC, TimeInForce.GTD, TimeInForce.IOC])
_prices = st.integers(90, 110)


@st.composite
def _place(draw: st.DrawFn, order_id: Hashable, now: int) -> PlaceOrder:
    order_type = draw(st.sampled_from([OrderType.LIMIT] * 5 + [OrderType.MARKET]))
    if order_type == OrderType.MARKET:
        time_in_force = draw(st.sampled_from([TimeInForce.IOC, TimeInForce.GTC]))
        price = draw(st.none() | _prices)
    else:
        time_in_force, price = draw(_limits), draw(_prices)
    valid_until = None
    if time_in_force == TimeInForce.GTD:
        valid_until = now + draw(st.integers(-2, 25))
    return PlaceOrder(
        draw(_instruments),
        order_id,
        draw(st.integers(1, 4)),
        draw(st.sampled_from(Side)),
        order_type,
        time_in_force,
        price,
        draw(st.integers(1, 12)),
        valid_until,
    )


@st.composite
def command_streams(draw: st.DrawFn, max_size: int = 50) -> list[Command]:
    """Orders with the ids 1, 2, …, cancels of some of them or of none, and a clock going on."""
    commands: list[Command] = []
    now = placed = 0
    kinds = draw(st.lists(st.sampled_from("ppppppcce"), max_size=max_size))
    for kind in kinds:
        if kind == "p":
            placed += 1
            commands.append(draw(_place(placed, now)))
        elif kind == "c":
            commands.append(CancelOrder(draw(_instruments), draw(st.integers(0, placed))))
        else:
            now += draw(st.integers(0, 12))
            commands.append(ExpireDue(now))
    return commands
