"""P4: how many messages per second the pure matching core works off, one symbol, no I/O.

``python -m benchmarks.matching [--messages N] [--seed N]``

The messages are made beforehand; timed is everything from a message to its executions: making
the order, `Matcher.place` and `OrderBook.cancel`, an amendment as cancel and place, and
`Matcher.expire` after every hundred messages (which do not count as messages).  The garbage
collector runs as in the engine, with what was there before frozen.  Each scenario runs twice on a
fresh matcher; the faster run counts, and both must come to the same end.

On a busy machine look at the undisturbed rate as well: the runs are timed in slices of a thousand
messages, which do the same work in both, and of each slice the faster time is summed up.
"""

from __future__ import annotations

import argparse
import gc
from time import perf_counter
from typing import Any, NamedTuple

from benchmarks.matching_flow import AMEND, CANCEL, PLACE, SCENARIOS, TICK, Message, order_flow
from orders.matching.matcher import Matcher
from orders.matching.types import Order, PriceRule

INSTRUMENT = 1
SLICE = 1_000


def run(seed: int = 23, messages: int = 1_000_000) -> list[dict[str, Any]]:
    """One row per scenario and a last one for the worst of them."""
    rows = [
        {"scenario": scenario.name, **_measure(order_flow(scenario, messages, seed))}
        for scenario in SCENARIOS
    ]
    worst = min(rows, key=lambda row: row["messages_per_second"])
    summary = {
        "scenario": f"worst: {worst['scenario']}",
        "messages_per_second": worst["messages_per_second"],
        "undisturbed_per_second": worst["undisturbed_per_second"],
    }
    return [*rows, summary]


def _measure(flow: list[Message]) -> dict[str, Any]:
    slices = [flow[start : start + SLICE] for start in range(0, len(flow), SLICE)]
    first, second = _timed(slices), _timed(slices)
    assert first.end == second.end, "the same messages came to different ends"
    count = sum(1 for kind, _ in flow if kind != TICK)
    undisturbed = sum(map(min, first.seconds, second.seconds))
    return {
        "messages_per_second": round(count / min(sum(first.seconds), sum(second.seconds))),
        "undisturbed_per_second": round(count / undisturbed),
        "messages": count,
        **first.end,
    }


class _Run(NamedTuple):
    seconds: list[float]
    """Of each slice."""
    end: dict[str, int]


def _timed(slices: list[list[Message]]) -> _Run:
    matcher = Matcher()
    book = matcher.add_book(INSTRUMENT, PriceRule.SELLER)
    seconds: list[float] = []
    executions = 0
    gc.collect()
    gc.freeze()
    for messages in slices:
        started = perf_counter()
        executions += _drive(matcher, messages)
        seconds.append(perf_counter() - started)
    gc.unfreeze()
    bids, asks = book.depth(len(book))
    end = {"executions": executions, "orders_left": len(book), "levels_left": len(bids + asks)}
    return _Run(seconds, end)


def _drive(matcher: Matcher, flow: list[Message]) -> int:
    """Work off all messages; returns the number of executions."""
    executions = 0
    place, cancel = matcher.place, matcher.books[INSTRUMENT].cancel
    for kind, content in flow:
        if kind == PLACE:
            executions += len(place(INSTRUMENT, Order(*content)))
        elif kind == CANCEL:
            cancel(content)
        elif kind == AMEND:
            order_id, change, sequence = content
            order = cancel(order_id)
            if order is not None:
                assert order.price is not None
                order.price += change
                order.quantity += 1
                order.remaining += 1
                order.sequence = sequence
                executions += len(place(INSTRUMENT, order))
        else:
            matcher.expire(content)
    return executions


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=23)
    options = parser.parse_args()
    for row in run(seed=options.seed, messages=options.messages):
        print(
            f"{row['scenario']:26}{row['messages_per_second']:>11,} messages/s"
            f"{row['undisturbed_per_second']:>11,} undisturbed",
            end="",
        )
        if "executions" in row:
            print(
                f"{row['executions']:>9,} executions, left {row['orders_left']:,} orders"
                f" on {row['levels_left']:,} levels",
                end="",
            )
        print()


if __name__ == "__main__":
    main()
