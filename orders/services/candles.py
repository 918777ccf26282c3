"""Candles out of the trades on the book: whole minutes are summed up anew, so nothing counts twice.

Trades of an account with itself do not count.

The trades of a shard are committed in the order of their ids, and the checkpoint of its engine
tells a time before which no further one can be. So it is known which minutes may have changed since
the last run, however late a trade was committed and whatever was interrupted.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from common.database import allow_long_statements, retry_on_conflict
from common.ids import first_uuid_from
from common.instants import EPOCH, from_microseconds
from marketdata.bulk import write_candles
from marketdata.locks import lock_candle_progress
from marketdata.types import Bar, CandleInterval
from orders.models import EngineShard

# Trades of so long a time are summed up in one transaction.
_SLICE = timedelta(minutes=10)
_STATEMENT_SECONDS = 60

_NEXT_TRADE = """
SELECT t.executed_at
  FROM marketdata_instrument i
 CROSS JOIN LATERAL (
       SELECT id, executed_at FROM orders_trade
        WHERE instrument_id = i.id AND venue = 'BOOK' AND id >= %s
        ORDER BY id LIMIT 1) t
 WHERE i.shard = %s
 ORDER BY t.id LIMIT 1
"""
# Sequences number the trades of a shard in the order in which they happened.
_BARS = """
WITH traded AS MATERIALIZED (
     SELECT t.instrument_id, date_bin('1 minute', t.executed_at, 'epoch'::timestamptz) AS opened_at,
            t.sequence, t.price, t.quantity, t.notional
       FROM marketdata_instrument i
       JOIN orders_trade t ON t.instrument_id = i.id AND t.id >= %s AND t.id < %s
      WHERE i.shard = %s AND t.venue = 'BOOK' AND t.buy_account_id <> t.sell_account_id),
summed AS (
     SELECT instrument_id, opened_at, max(price) AS high_price, min(price) AS low_price,
            sum(quantity) AS volume, sum(notional) AS amount, count(*) AS trade_count,
            min(sequence) AS first_sequence, max(sequence) AS last_sequence
       FROM traded GROUP BY instrument_id, opened_at)
SELECT s.instrument_id, s.opened_at, opening.price, s.high_price, s.low_price, closing.price,
       s.volume, s.amount, s.trade_count
  FROM summed s
  JOIN traded opening ON opening.sequence = s.first_sequence
  JOIN traded closing ON closing.sequence = s.last_sequence
"""


@retry_on_conflict
@transaction.atomic
def build_candles(*, shard: int) -> bool:
    """Bring the candles of a shard up to date by ten minutes of trades; whether more wait.

    False too where somebody else builds them now.
    """
    progress = lock_candle_progress(shard)
    checkpoint = EngineShard.objects.filter(shard=shard).first()
    if progress is None or checkpoint is None:
        return False
    allow_long_statements(_STATEMENT_SECONDS)
    committed_until = from_microseconds(checkpoint.batch_time)
    built_until, until = committed_until, None
    since = _next_minute_with_trades(shard, progress.built_until or EPOCH)
    if since is not None:
        until = since + _SLICE
        write_candles(_sum_up(shard, since, until))
        built_until = min(until, committed_until)
    progress.built_until = built_until
    progress.save(update_fields=["built_until"])
    return until is not None and until <= committed_until


def _next_minute_with_trades(shard: int, moment: datetime) -> datetime | None:
    """The minute of the first trade that is not before the minute of `moment`."""
    minute = CandleInterval.MINUTE
    with connection.cursor() as cursor:
        cursor.execute(_NEXT_TRADE, [first_uuid_from(minute.floor(moment)), shard])
        row = cursor.fetchone()
    return None if row is None else minute.floor(row[0])


def _sum_up(shard: int, since: datetime, until: datetime) -> list[tuple[int, Bar]]:
    bounds: list[Any] = [first_uuid_from(since), first_uuid_from(until), shard]
    with connection.cursor() as cursor:
        cursor.execute(_BARS, bounds)
        return [(instrument_id, Bar(*values)) for instrument_id, *values in cursor.fetchall()]
