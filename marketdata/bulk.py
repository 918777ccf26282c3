"""Set-based writes of the engine into the tables of market data, inside its transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from common.postgres_arrays import integers, texts, words

_INSERT_MARKS = """
INSERT INTO marketdata_markprice
       (instrument_id, price, source, as_of, posted_at, actor, is_forced)
SELECT u.instrument_id, u.price * 0.00000001, u.source,
       -- In two steps: an interval is multiplied as a float, which holds 53 bits.
       'epoch'::timestamptz + u.as_of / 1000000 * interval '1 s'
           + u.as_of %% 1000000 * interval '1 us',
       %s::timestamptz, u.actor, u.is_forced
  FROM unnest(%s::bigint[], %s::numeric[], %s::text[], %s::bigint[], %s::text[], %s::boolean[])
       WITH ORDINALITY AS u (instrument_id, price, source, as_of, actor, is_forced, n)
 ORDER BY u.n
"""


class NewMark(NamedTuple):
    """A mark price to store: price in units of 10^-8, `as_of` in microseconds since 1970."""

    instrument_id: int
    price: int
    source: str
    as_of: int
    actor: str
    is_forced: bool


def insert_marks(executor: Any, marks: Sequence[NewMark], *, posted_at: datetime) -> None:
    """Add marks to the history, in their order; `executor` is a cursor or a connection."""
    executor.execute(
        _INSERT_MARKS,
        [
            posted_at,
            integers(mark.instrument_id for mark in marks),
            integers(mark.price for mark in marks),
            words(mark.source for mark in marks),
            integers(mark.as_of for mark in marks),
            texts(mark.actor for mark in marks),
            words("t" if mark.is_forced else "f" for mark in marks),
        ],
    )
