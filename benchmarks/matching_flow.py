"""Order flow of one busy symbol, made beforehand from a seed.

The mix follows the workload which the public comparison of matching engines describes
(flash1-dev/matching-engine-benchmark, docs/METHODOLOGY.md: a liquid US equity with half-cent
ticks): of the new orders 15 % do not stay (10 % IOC, 5 % MARKET), of the rest 20 % are amended by
one lot more and, four times of five, a tick, and 95 % are canceled after a life that is longer
farther from the market; 2 % of the cancels come twice.  New orders stand on their own side of
the mid price, most within a few ticks of it; trades come from the orders that do not stay, and
from the mid price walking over what rests.  Ours adds ``valid_until`` to a tenth of the resting
orders and a tick of the clock after every hundred messages, as the engine does after a batch.

The five paths of the mid price are our own.  Nothing here is timed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from orders.matching.types import OrderType, Side, TimeInForce

START_TICKS = 33_504
PLACE, CANCEL, AMEND, TICK = range(4)
BATCH = 100
MICROSECONDS_PER_MESSAGE = 10
MEAN_LIFE = 1_500  # messages, at the touch

Message = tuple[int, Any]
"""(PLACE, the arguments of `Order`), (CANCEL, order id), (AMEND, (order id, price change,
sequence)) or (TICK, now)."""


@dataclass(frozen=True)
class Scenario:
    """A path of the mid price: the share of the start price at a share of the way, and a walk."""

    name: str
    path: Callable[[float], float]
    walk_ticks: float = 0.1
    """Standard deviation of the step of the random walk upon it, at each new order."""


def _sine(swing: float, cycles: int) -> Callable[[float], float]:
    return lambda way: 1 + swing * math.sin(math.tau * cycles * way)


def _crash(way: float) -> float:
    """Four times: calm, a fall by 60 % within a tenth of the time, a slow recovery."""
    phase = way * 4 % 1
    if phase < 0.4:
        return 1
    if phase < 0.5:
        return 1 - 0.6 * (phase - 0.4) / 0.1
    return 0.4 + 0.6 * (phase - 0.5) / 0.5


SCENARIOS = (
    Scenario("static deep book", lambda way: 1, walk_ticks=0),
    Scenario("normal", _sine(0.02, cycles=2)),
    Scenario("25 % swing", _sine(0.25, cycles=2)),
    Scenario("40 % swing", _sine(0.40, cycles=2)),
    Scenario("flash crash", _crash),
)


def order_flow(scenario: Scenario, messages: int, seed: int) -> list[Message]:
    """``messages`` messages in wire order, with the ticks of the clock in between."""
    random = Random(f"{scenario.name} {seed}")
    orders = messages * 51 // 100  # they beget about as many cancels and amendments again
    timed: list[tuple[float, int, Message]] = []
    for order_id, mid in enumerate(_walk(scenario, orders, random)):
        arrives = order_id * messages / orders
        distance = _distance(random)
        for at, message in _life(random, order_id, arrives, mid, distance):
            timed.append((at, len(timed), message))
    timed.sort()
    flow: list[Message] = []
    for number, (_, _, message) in enumerate(timed[:messages]):
        if number % BATCH == 0:
            flow.append((TICK, number * MICROSECONDS_PER_MESSAGE))
        kind, content = message
        if kind == PLACE:
            *terms, until = content
            content = (*terms, number, until)
        elif kind == AMEND:
            content = (*content, number)
        flow.append((kind, content))
    assert len(timed) >= messages, "too few orders for so many messages"
    return flow


def _walk(scenario: Scenario, steps: int, random: Random) -> Iterator[int]:
    """The mid price in ticks at each new order."""
    walked = 0.0
    for number in range(steps):
        walked += random.gauss(0, scenario.walk_ticks)
        yield round(START_TICKS * scenario.path(number / steps) + walked)


def _distance(random: Random) -> int:
    """Ticks from the mid: a power law with exponent 2.23, and a hump about 8 ticks out."""
    if random.random() < 0.3:
        return max(1, round(random.gauss(8, 3)))
    return min(1_000, int(random.random() ** (-1 / 1.23)))


def _life(
    random: Random, order_id: int, arrives: float, mid: int, distance: int
) -> Iterator[tuple[float, Message]]:
    """When an order is placed, and perhaps amended and canceled, in messages from the start."""
    side = Side(random.randint(1, 2))
    account = random.randrange(1_000)
    quantity = random.randint(1, 100)
    outward = -distance if side == Side.BUY else distance
    draw = random.random()
    if draw < 0.15:
        kind, price = (OrderType.MARKET, None) if draw < 0.05 else (OrderType.LIMIT, mid - outward)
        ioc = TimeInForce.IOC
        yield arrives, (PLACE, (order_id, account, side, kind, ioc, price, quantity, None))
        return
    life = random.expovariate(1 / (MEAN_LIFE * (1 + distance / 50)))
    stays, until = TimeInForce.GTC, None
    if random.random() < 0.1:
        stays = TimeInForce.GTD
        until = int((arrives + random.expovariate(1 / life)) * MICROSECONDS_PER_MESSAGE) + 1_000
    limit, price = OrderType.LIMIT, mid + outward
    yield arrives, (PLACE, (order_id, account, side, limit, stays, price, quantity, until))
    if random.random() < 0.2:
        change = random.choice((-1, 1)) if random.random() < 0.8 else 0
        yield arrives + life * random.random(), (AMEND, (order_id, change))
    if random.random() < 0.95:
        yield arrives + life, (CANCEL, order_id)
        if random.random() < 0.02:
            yield arrives + life + 10, (CANCEL, order_id)
