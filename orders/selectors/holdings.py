"""Holdings of an account: what it has of what is traded, and what it paid for it on average.

A holding is a balance in the base asset of an EQUITY or SPOT instrument. Where there are several of
them, the one priced in the venue's currency counts, else the one that was listed first. Averages
follow the postings of the ledger account in their order, since only that is the order in which
trades, the book's and the others, came about; they go on from the last stored `AveragePrice`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings
from django.db import connection

from common.money import EXACT
from common.postgres_arrays import integers
from ledger.selectors import list_balances
from ledger.types import Balance
from marketdata.models import Instrument
from marketdata.selectors import list_instruments
from orders.calculations import next_average_price, realized_profit
from orders.models import AveragePrice

# Postings that one read follows; the clock's work stores averages long before there are so many.
TAIL_MAX = 20_000

_TAILS = """
SELECT k.ledger_account_id, p.account_version, p.amount, p.balance_after, t.price
  FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
       AS k (ledger_account_id, instrument_id, after_version, last_version)
  JOIN marketdata_instrument i ON i.id = k.instrument_id
  JOIN ledger_posting p ON p.ledger_account_id = k.ledger_account_id
       AND p.account_version > k.after_version AND p.account_version <= k.last_version
  LEFT JOIN (orders_trade t JOIN marketdata_instrument ti ON ti.id = t.instrument_id)
    ON t.id = p.entry_id AND ti.base_asset_id = p.asset_id
       AND ti.quote_asset_id = i.quote_asset_id
 ORDER BY k.ledger_account_id, p.account_version
"""


@dataclass(frozen=True, slots=True)
class Holding:
    """A balance in an instrument's base asset; prices are in its quote asset.

    `average_price` is None where nothing was bought, or too much has happened since it was stored;
    in the latter case `realized_profit`, of all sales so far and before fees, is None too.
    """

    symbol: str
    asset: str
    quote_asset: str
    quantity: Decimal
    held_quantity: Decimal
    average_price: Decimal | None
    realized_profit: Decimal | None


@dataclass(frozen=True, slots=True)
class AverageAt:
    """Average price and realized profit after the first `account_version` postings of a ledger
    account."""

    account_version: int
    average_price: Decimal | None
    realized_profit: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Tail:
    """Postings of a ledger account from where an average is known up to a version."""

    ledger_account_id: int
    instrument_id: int
    start: AverageAt
    last_version: int


def list_holdings(account_id: int) -> tuple[list[Holding], list[Balance]]:
    """The holdings of a trading account by asset, and its other balances: money.

    Four queries, however many there are.
    """
    holdings, money = list_holdings_and_flat(account_id)
    return [one for one in holdings if one.quantity], money


def list_holdings_and_flat(account_id: int) -> tuple[list[Holding], list[Balance]]:
    """As `list_holdings`, with what the account once held."""
    balances = list_balances(account_id)
    instruments = choose_instruments({balance.asset for balance in balances})
    held = [one for one in balances if one.asset in instruments and one.kind != "MARGIN"]
    chosen = {one.ledger_account_id: instruments[one.asset] for one in held}
    averages = _averages(account_id, held, chosen)
    holdings = [
        Holding(
            symbol=chosen[one.ledger_account_id].symbol,
            asset=one.asset,
            quote_asset=chosen[one.ledger_account_id].quote_asset.code,
            quantity=one.posted_balance,
            held_quantity=one.held_amount,
            average_price=None if average is None else average.average_price,
            realized_profit=None if average is None else average.realized_profit,
        )
        for one in held
        for average in [averages[one.ledger_account_id]]
    ]
    return holdings, [one for one in balances if one.ledger_account_id not in chosen]


def choose_instruments(assets: Iterable[str]) -> dict[str, Instrument]:
    """The instrument by which a holding in each of these assets counts; not every asset has one.

    The venue's currency is money, whatever it may be traded against.
    """
    instruments = (
        list_instruments()
        .filter(base_asset__code__in=assets)
        .exclude(kind=Instrument.Kind.PERPETUAL)
        .exclude(base_asset__code=settings.VENUE_CURRENCY)
    )
    venue_first = sorted(
        instruments, key=lambda one: (one.quote_asset.code != settings.VENUE_CURRENCY, one.id)
    )
    return {one.base_asset.code: one for one in reversed(venue_first)}


def follow(tails: Sequence[Tail]) -> dict[int, AverageAt]:
    """The average price at the end of each tail, by ledger account: one query for all of them."""
    averages = {tail.ledger_account_id: tail.start for tail in tails}
    with connection.cursor() as cursor:
        cursor.execute(
            _TAILS,
            [
                integers(tail.ledger_account_id for tail in tails),
                integers(tail.instrument_id for tail in tails),
                integers(tail.start.account_version for tail in tails),
                integers(tail.last_version for tail in tails),
            ],
        )
        for ledger_account_id, version, amount, balance_after, price in cursor.fetchall():
            before = averages[ledger_account_id]
            posted = {"amount": amount, "balance_after": balance_after, "price": price}
            gained = realized_profit(before.average_price, **posted)
            averages[ledger_account_id] = AverageAt(
                version,
                next_average_price(before.average_price, **posted),
                EXACT.add(before.realized_profit, gained),
            )
    return averages


def _averages(
    account_id: int, held: list[Balance], chosen: dict[int, Instrument]
) -> dict[int, AverageAt | None]:
    stored = {
        one.instrument_id: AverageAt(one.account_version, one.average_price, one.realized_profit)
        for one in AveragePrice.objects.filter(
            account_id=account_id, instrument__in=chosen.values()
        )
    }
    tails = [
        Tail(
            ledger_account_id=one.ledger_account_id,
            instrument_id=chosen[one.ledger_account_id].id,
            start=stored.get(chosen[one.ledger_account_id].id, AverageAt(0, None)),
            last_version=one.version,
        )
        for one in held
    ]
    short = [one for one in tails if one.last_version - one.start.account_version <= TAIL_MAX]
    found = follow(short)
    return {one.ledger_account_id: found.get(one.ledger_account_id) for one in tails}
