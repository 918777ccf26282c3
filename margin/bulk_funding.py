"""Set-based writes of fundings and their payments by the engine, inside its transaction.

Money, quantities and rates are integers of 10^-8 here; they are scaled in SQL.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from common.instants import from_microseconds
from common.postgres_arrays import integers, texts, words
from margin.types import NewFunding

# The end of an index range for each instrument.
_LAST = """
SELECT i.id, (extract(epoch FROM f.due_at) * 1000000)::bigint
  FROM unnest(%s::bigint[]) AS i (id)
 CROSS JOIN LATERAL (SELECT due_at FROM margin_funding
                      WHERE instrument_id = i.id ORDER BY due_at DESC LIMIT 1) AS f
"""
_INSERT_FUNDINGS = """
INSERT INTO margin_funding
       (id, instrument_id, due_at, rate, sample_count, mark_price, paid, received, remainder,
        fixed_at, booked_at)
SELECT u.id, u.instrument_id, u.due_at, u.rate * 0.00000001, u.sample_count,
       u.mark_price * 0.00000001, u.paid * 0.00000001, u.received * 0.00000001,
       (u.paid - u.received) * 0.00000001, %(now)s::timestamptz,
       -- Where nobody pays there is nothing to book.
       CASE WHEN u.paid = 0 THEN %(now)s::timestamptz END
  FROM unnest(%(ids)s::uuid[], %(instruments)s::bigint[], %(due)s::timestamptz[],
              %(rates)s::bigint[], %(counts)s::int[], %(marks)s::numeric[], %(paid)s::numeric[],
              %(received)s::numeric[])
       AS u (id, instrument_id, due_at, rate, sample_count, mark_price, paid, received)
"""
_INSERT_PAYMENTS = """
INSERT INTO margin_fundingpayment (funding_id, account_id, quantity, amount, entry_id)
SELECT u.funding_id, u.account_id, u.quantity * 0.00000001, u.amount * 0.00000001, u.entry_id
  FROM unnest(%s::uuid[], %s::bigint[], %s::numeric[], %s::numeric[], %s::uuid[])
       AS u (funding_id, account_id, quantity, amount, entry_id)
"""


def read_last_due(executor: Any, instrument_ids: Iterable[int]) -> dict[int, int]:
    """Until when (microseconds since 1970) instruments are funded, of those that ever were."""
    return dict(executor.execute(_LAST, [integers(instrument_ids)]))


def insert_fundings(executor: Any, fundings: Sequence[NewFunding], *, now: datetime) -> None:
    """Store fundings, and their payments in the order in which they come."""
    values: dict[str, Any] = {
        "now": now,
        "ids": words(one.funding_id.hex() for one in fundings),
        "instruments": integers(one.instrument_id for one in fundings),
        "due": texts(from_microseconds(one.due_at).isoformat() for one in fundings),
        "rates": integers(one.rate for one in fundings),
        "counts": integers(one.sample_count for one in fundings),
        "marks": integers(one.mark_price for one in fundings),
        "paid": integers(one.paid for one in fundings),
        "received": integers(one.received for one in fundings),
    }
    executor.execute(_INSERT_FUNDINGS, values)
    owned = [(one.funding_id, payment) for one in fundings for payment in one.payments]
    if owned:
        executor.execute(
            _INSERT_PAYMENTS,
            [
                words(funding_id.hex() for funding_id, _ in owned),
                integers(payment.account_id for _, payment in owned),
                integers(payment.quantity for _, payment in owned),
                integers(payment.amount for _, payment in owned),
                words(payment.entry_id.hex() for _, payment in owned),
            ],
        )
