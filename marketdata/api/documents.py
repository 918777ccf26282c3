"""Instruments, prices and candles as documents of `/api/v1/`."""

from collections.abc import Iterable
from typing import Any

from marketdata.models import Instrument
from marketdata.selectors import make_spec
from marketdata.types import Bar, CandleInterval, InstrumentSpec, MarketPrice


def instrument_row(instrument: Instrument) -> dict[str, Any]:
    """An instrument in a list."""
    return instrument_document(make_spec(instrument))


def instrument_document(spec: InstrumentSpec) -> dict[str, Any]:
    """An instrument with its steps, limits and fees; a limit that there is not is null."""
    return {
        "symbol": spec.symbol,
        "name": spec.name,
        "price_symbol": spec.price_symbol or None,
        "kind": spec.kind,
        "state": spec.state,
        "base_asset": spec.base_asset,
        "quote_asset": spec.quote_asset,
        "base_scale": spec.base_scale,
        "quote_scale": spec.quote_scale,
        "tick_size": spec.tick_size,
        "lot_size": spec.lot_size,
        "min_quantity": spec.min_quantity,
        "max_quantity": spec.max_quantity,
        "min_notional": spec.min_notional,
        "max_notional": spec.max_notional,
        "price_band_rate": spec.price_band_rate,
        "market_collar_rate": spec.market_collar_rate,
        "initial_margin_rate": spec.initial_margin_rate,
        "maintenance_margin_rate": spec.maintenance_margin_rate,
        "mark_jump_limit_rate": spec.mark_jump_limit_rate,
        "mark_stale_seconds": spec.mark_stale_seconds,
        "max_position": spec.max_position,
        "liquidation_fee_rate": spec.liquidation_fee_rate,
        "liquidation_buffer_rate": spec.liquidation_buffer_rate,
        "funding_interval_seconds": spec.funding_interval_seconds,
        "funding_interest_rate": spec.funding_interest_rate,
        "funding_cap_rate": spec.funding_cap_rate,
        "maker_fee_rate": spec.maker_fee_rate,
        "taker_fee_rate": spec.taker_fee_rate,
        "price_rule": spec.price_rule,
        "is_open_listing": spec.is_open_listing,
    }


def price_document(price: MarketPrice) -> dict[str, Any]:
    """A market price."""
    return {
        "symbol": price.symbol,
        "price": price.price,
        "bid": price.bid,
        "ask": price.ask,
        "currency": price.currency,
        "source": price.source,
        "as_of": price.as_of,
        "age_seconds": price.age_seconds,
        "cached": price.is_cached,
        "simulated": price.is_simulated,
        "stale": price.is_stale,
    }


def candles_document(symbol: str, interval: CandleInterval, bars: Iterable[Bar]) -> dict[str, Any]:
    """The candles of an instrument."""
    return {
        "symbol": symbol,
        "interval": interval.value,
        "candles": [
            {
                "opened_at": bar.opened_at,
                "open": bar.open_price,
                "high": bar.high_price,
                "low": bar.low_price,
                "close": bar.close_price,
                "volume": bar.volume,
                "amount": bar.amount,
                "trade_count": bar.trade_count,
            }
            for bar in bars
        ],
    }
