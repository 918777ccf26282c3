"""Stores average prices now and then, so that no read has to begin at an account's first trade."""

from django.db import connection, transaction

from common.postgres_arrays import integers
from marketdata.models import Asset
from orders.models import AveragePrice
from orders.selectors.holdings import TAIL_MAX, AverageAt, Tail, choose_instruments, follow

# Postings after which an average is stored anew, and ledger accounts that are looked after at once.
STORED_EVERY = 500
_ACCOUNTS_MAX = 100

_LONG_TAILS = """
SELECT a.trading_account_id, a.id, k.instrument_id, coalesce(s.account_version, 0),
       s.average_price, coalesce(s.realized_profit, 0), a.version
  FROM unnest(%s::bigint[], %s::bigint[]) AS k (asset_id, instrument_id)
  JOIN ledger_ledgeraccount a ON a.asset_id = k.asset_id
  LEFT JOIN orders_averageprice s
    ON s.account_id = a.trading_account_id AND s.instrument_id = k.instrument_id
 WHERE a.trading_account_id IS NOT NULL AND a.kind <> 'MARGIN'
   AND a.version - coalesce(s.account_version, 0) >= %s
 LIMIT %s
"""


def store_average_prices(*, every: int = STORED_EVERY) -> int:
    """Bring the stored averages up to date where `every` postings or more have come; how many."""
    count = 0
    while stored := _store_some(every):
        count += stored
    return count


@transaction.atomic
def _store_some(every: int) -> int:
    instruments = choose_instruments(Asset.objects.values_list("code", flat=True))
    accounts: dict[int, int] = {}
    tails = []
    with connection.cursor() as cursor:
        cursor.execute(
            _LONG_TAILS,
            [
                integers(one.base_asset_id for one in instruments.values()),
                integers(one.id for one in instruments.values()),
                every,
                _ACCOUNTS_MAX,
            ],
        )
        room = TAIL_MAX
        for account_id, ledger_account_id, instrument_id, *start, last in cursor:
            version = start[0]
            last = min(last, version + room)
            room -= last - version
            accounts[ledger_account_id] = account_id
            tails.append(Tail(ledger_account_id, instrument_id, AverageAt(*start), last))
            if not room:
                break
    found = follow(tails)
    AveragePrice.objects.bulk_create(
        [
            AveragePrice(
                account_id=accounts[tail.ledger_account_id],
                instrument_id=tail.instrument_id,
                account_version=found[tail.ledger_account_id].account_version,
                average_price=found[tail.ledger_account_id].average_price,
                realized_profit=found[tail.ledger_account_id].realized_profit,
            )
            for tail in tails
        ],
        update_conflicts=True,
        unique_fields=["account", "instrument"],
        update_fields=["account_version", "average_price", "realized_profit"],
    )
    return len(tails)
