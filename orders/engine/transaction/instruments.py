"""Reads the rules of instruments, when they are first met and when their row has changed."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import psycopg

from common.money import UNITS8, to_units8
from common.postgres_arrays import integers
from margin.types import PerpetualTerms
from orders.engine.core.instruments import InstrumentRules, PerpetualRules
from orders.engine.core.perpetuals.kind import PERPETUAL
from orders.engine.core.spot import SPOT
from orders.engine.core.state import ShardState
from orders.matching.types import PriceRule

# A row's xmin changes with every UPDATE and with nothing else: it is the version of the rules.
VERSIONS = "SELECT id, xmin::text::bigint FROM marketdata_instrument WHERE id = ANY(%s::bigint[])"

_RULES = """
SELECT i.id, i.xmin::text::bigint, i.symbol, i.base_asset_id, i.quote_asset_id, i.tick_size,
       i.lot_size, q.scale, i.price_rule, i.state, i.kind, i.min_quantity, i.max_quantity,
       i.min_notional, i.max_notional, i.price_band_rate, i.market_collar_rate, i.maker_fee_rate,
       i.taker_fee_rate, b.kind, q.kind, i.initial_margin_rate, i.maintenance_margin_rate,
       i.mark_jump_limit_rate, i.mark_stale_seconds, i.max_position, i.liquidation_fee_rate,
       i.liquidation_buffer_rate, q.code
  FROM marketdata_instrument i
  JOIN marketdata_asset b ON b.id = i.base_asset_id
  JOIN marketdata_asset q ON q.id = i.quote_asset_id
 WHERE i.shard = %s
"""


def load_all(connection: psycopg.Connection[Any], state: ShardState) -> None:
    """Know every instrument of the shard."""
    for row in connection.execute(_RULES, [state.shard]):
        state.add_instrument(_rules(row))


def load_some(connection: psycopg.Connection[Any], state: ShardState, ids: Iterable[int]) -> None:
    """Know some instruments anew. Those of other shards stay unknown."""
    query = _RULES + " AND i.id = ANY(%s::bigint[])"
    for row in connection.execute(query, [state.shard, integers(ids)]):
        state.add_instrument(_rules(row))


def load_changed(
    connection: psycopg.Connection[Any], state: ShardState, versions: dict[int, int]
) -> None:
    """Read the rules again of instruments that have other versions now."""
    changed = [i for i, version in versions.items() if state.instruments[i].version != version]
    if changed:
        load_some(connection, state, changed)


def _rules(row: tuple[Any, ...]) -> InstrumentRules:
    tick, lot = to_units8(row[5]), to_units8(row[6])
    is_perpetual = row[10] == "PERPETUAL"
    min_quantity, max_quantity = _units8_or_none(row[11]), _units8_or_none(row[12])
    return InstrumentRules(
        instrument_id=row[0],
        version=row[1],
        symbol=row[2],
        base_asset_id=row[3],
        quote_asset_id=row[4],
        tick=tick,
        lot=lot,
        fee_unit=10 ** (8 - row[7]),
        price_rule=PriceRule[row[8]],
        is_trading=row[9] == "CONTINUOUS",
        min_lots=1 if min_quantity is None else -(-min_quantity // lot),
        max_lots=None if max_quantity is None else max_quantity // lot,
        min_notional=_units8_or_none(row[13]) or 0,
        max_notional=_units8_or_none(row[14]),
        band_rate=_units8_or_none(row[15]),
        collar_rate=_units8_or_none(row[16]),
        maker_rate=to_units8(row[17]),
        taker_rate=to_units8(row[18]),
        base_kind=_ledger_kind(row[19]),
        quote_kind=_ledger_kind(row[20]),
        quote_code=row[28],
        kind=PERPETUAL if is_perpetual else SPOT,
        perpetual=_perpetual_rules(row) if is_perpetual else None,
    )


def _perpetual_rules(row: tuple[Any, ...]) -> PerpetualRules:
    tick, lot = to_units8(row[5]), to_units8(row[6])
    max_position = _units8_or_none(row[25])
    terms = PerpetualTerms(
        factor=tick * lot // UNITS8,
        money_unit=10 ** (8 - row[7]),
        initial_rate=to_units8(row[21]),
        maintenance_rate=to_units8(row[22]),
    )
    return PerpetualRules(
        terms=terms,
        jump_rate=to_units8(row[23]),
        stale_micros=row[24] * 1_000_000,
        max_lots=None if max_position is None else max_position // lot,
        liquidation_fee_rate=to_units8(row[26]),
        liquidation_buffer_rate=to_units8(row[27]),
    )


def _units8_or_none(value: Decimal | None) -> int | None:
    return None if value is None else to_units8(value)


def _ledger_kind(asset_kind: str) -> str:
    """The kind of a client's ledger account in an asset of this kind: currencies are cash."""
    return "SECURITY" if asset_kind == "SECURITY" else "CASH"
