"""Set-based writes into the tables of market data, inside the transaction of the caller."""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from django.db import connection

from common.postgres_arrays import integers, texts, words
from marketdata.types import Bar, CandleInterval, NewMark

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


# A candle that is the same as before is not written again.
_UPSERT_CANDLES = """
INSERT INTO marketdata_candle AS c
       (instrument_id, "interval", opened_at, open_price, high_price, low_price, close_price,
        volume, amount, trade_count)
{rows}
    ON CONFLICT (instrument_id, "interval", opened_at) DO UPDATE
   SET open_price = excluded.open_price, high_price = excluded.high_price,
       low_price = excluded.low_price, close_price = excluded.close_price,
       volume = excluded.volume, amount = excluded.amount, trade_count = excluded.trade_count
 WHERE (c.open_price, c.high_price, c.low_price, c.close_price, c.volume, c.amount, c.trade_count)
       IS DISTINCT FROM
       (excluded.open_price, excluded.high_price, excluded.low_price, excluded.close_price,
        excluded.volume, excluded.amount, excluded.trade_count)
"""
_MINUTES = _UPSERT_CANDLES.format(
    rows="""
SELECT u.instrument_id, '1m', u.opened_at, u.open_price, u.high_price, u.low_price, u.close_price,
       u.volume, u.amount, u.trade_count
  FROM unnest(%s::bigint[], %s::timestamptz[], %s::numeric[], %s::numeric[], %s::numeric[],
              %s::numeric[], %s::numeric[], %s::numeric[], %s::bigint[])
       AS u (instrument_id, opened_at, open_price, high_price, low_price, close_price, volume,
             amount, trade_count)
"""
)
_COARSER = _UPSERT_CANDLES.format(
    rows="""
SELECT g.instrument_id, %(interval)s, g.opened_at, opening.open_price, g.high_price, g.low_price,
       closing.close_price, g.volume, g.amount, g.trade_count
  FROM (SELECT instrument_id, date_bin(%(length)s, opened_at, 'epoch'::timestamptz) AS opened_at,
               min(opened_at) AS first_at, max(opened_at) AS last_at, max(high_price) AS high_price,
               min(low_price) AS low_price, sum(volume) AS volume, sum(amount) AS amount,
               sum(trade_count) AS trade_count
          FROM marketdata_candle
         WHERE "interval" = %(finer)s AND instrument_id = ANY(%(instruments)s::bigint[])
           AND opened_at >= %(since)s AND opened_at < %(until)s
         GROUP BY 1, 2) g
  JOIN marketdata_candle opening
    ON (opening.instrument_id, opening."interval", opening.opened_at)
       = (g.instrument_id, %(finer)s, g.first_at)
  JOIN marketdata_candle closing
    ON (closing.instrument_id, closing."interval", closing.opened_at)
       = (g.instrument_id, %(finer)s, g.last_at)
"""
)


def write_candles(bars: Sequence[tuple[int, Bar]]) -> None:
    """Write whole one-minute candles, each with its instrument's id, and the longer ones over them.

    A candle that is there already is replaced, so the same may be written any number of times.
    """
    if not bars:
        return
    with connection.cursor() as cursor:
        cursor.execute(_MINUTES, _columns(bars))
        moments = [bar.opened_at for _, bar in bars]
        instruments = integers({instrument_id for instrument_id, _ in bars})
        for finer, interval in pairwise(CandleInterval):
            values: dict[str, Any] = {
                "interval": interval.value,
                "finer": finer.value,
                "length": interval.length,
                "instruments": instruments,
                "since": interval.floor(min(moments)),
                "until": interval.floor(max(moments)) + interval.length,
            }
            cursor.execute(_COARSER, values)


def _columns(bars: Sequence[tuple[int, Bar]]) -> list[str]:
    amounts = ("open_price", "high_price", "low_price", "close_price", "volume", "amount")
    return [
        integers(instrument_id for instrument_id, _ in bars),
        texts(bar.opened_at.isoformat() for _, bar in bars),
        *(words(format(getattr(bar, name), "f") for _, bar in bars) for name in amounts),
        integers(bar.trade_count for _, bar in bars),
    ]
