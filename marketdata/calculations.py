"""Rules of symbols, assets and instruments, as lists of what is wrong. Pure."""

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from zlib import crc32

from iso4217 import Currency

from common.errors import FieldError
from common.limits import PRICE_SYMBOL_LENGTH_MAX, SYMBOL_LENGTH_MAX
from common.money import EXACT, plain, steps_of
from marketdata.types import Bar, CandleInterval

SCALE_MAX = 8
CURRENCY_SCALE_MAX = 4
# A symbol stands in addresses: no slash, and no dot at its beginning.
_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9._:\-]{0,19}")
# Of price services, which have indexes (^GSPC) and rates (EURUSD=X) too; commas separate them.
_PRICE_SYMBOL = re.compile(rf"[A-Z0-9^][A-Z0-9^=._:\-]{{0,{PRICE_SYMBOL_LENGTH_MAX - 1}}}")


# Codes of ISO 4217 that nobody keeps money in: funds, units of account and of bonds, metals, the
# code for tests and the one for no currency.
_FUNDS = {"BOV", "CHE", "CHW", "CLF", "COU", "MXV", "USN", "UYI", "UYW"}
_UNITS = {"XAD", "XDR", "XSU", "XUA", "XBA", "XBB", "XBC", "XBD"}
_NO_MONEY = _FUNDS | _UNITS | {"XAG", "XAU", "XPD", "XPT", "XTS", "XXX"}
_CURRENCIES = {one.code: one.currency_name for one in Currency if one.code not in _NO_MONEY}


def currency_name(code: str) -> str | None:
    """The name of a currency of ISO 4217 in which money is kept; None: there is none such."""
    return _CURRENCIES.get(code)


def currency_scale(code: str) -> int:
    """How many decimal places a currency of ISO 4217 is kept with: at most four.

    Currencies of cents have four, for fees and interest are finer than a cent; others have as many
    as ISO 4217 says: the yen none, the Kuwaiti dinar three.
    """
    minor_units = Currency(code).exponent
    return CURRENCY_SCALE_MAX if minor_units in (2, None) else min(minor_units, CURRENCY_SCALE_MAX)


def symbol_errors(symbol: str, field: str = "symbol") -> list[FieldError]:
    """What is wrong with a symbol, or with the code of an asset."""
    if _SYMBOL.fullmatch(symbol):
        return []
    detail = f"1 to {SYMBOL_LENGTH_MAX} of A-Z 0-9 . _ : - in upper case, a letter or digit first."
    return [FieldError(field, "invalid_symbol", detail)]


def price_symbol_errors(price_symbol: str, *, is_perpetual: bool) -> list[FieldError]:
    """What is wrong with what price services call an instrument; empty is right."""
    if not price_symbol:
        return []
    if is_perpetual:
        detail = "A perpetual costs its mark price; no price service is asked."
        return [FieldError("price_symbol", "not_for_perpetual", detail)]
    if _PRICE_SYMBOL.fullmatch(price_symbol):
        return []
    detail = f"1 to {PRICE_SYMBOL_LENGTH_MAX} of A-Z 0-9 ^ = . _ : - in upper case."
    return [FieldError("price_symbol", "invalid_symbol", detail)]


def scale_errors(scale: int) -> list[FieldError]:
    """What is wrong with an asset's number of decimal places."""
    if 0 <= scale <= SCALE_MAX:
        return []
    return [FieldError("scale", "out_of_range", f"0 to {SCALE_MAX} decimal places.")]


def step_errors(
    *, tick_size: Decimal, lot_size: Decimal, base_scale: int, quote_scale: int
) -> list[FieldError]:
    """What is wrong with the steps of price and quantity.

    A lot is whole in the base asset, and `tick_size × lot_size` is whole in the quote asset's
    smallest unit, so that neither a quantity nor a notional is ever rounded.
    """
    errors = [
        FieldError(field, "not_positive", f"{field} must be above zero.")
        for field, step in (("tick_size", tick_size), ("lot_size", lot_size))
        if not step.is_finite() or step <= 0
    ]
    if errors:
        return errors
    base_unit, quote_unit = _smallest_unit(base_scale), _smallest_unit(quote_scale)
    if steps_of(lot_size, base_unit) is None:
        detail = (
            f"A lot of {plain(lot_size)} is no whole number of the base asset's smallest unit "
            f"{plain(base_unit)}."
        )
        errors.append(FieldError("lot_size", "off_scale", detail))
    if steps_of(tick_size * lot_size, quote_unit) is None:
        detail = (
            f"Tick × lot = {plain(tick_size * lot_size)} is no whole number of the quote asset's "
            f"smallest unit {plain(quote_unit)}."
        )
        errors.append(FieldError("tick_size", "off_scale", detail))
    return errors


def limit_errors(
    *,
    lot_size: Decimal,
    min_quantity: Decimal | None,
    max_quantity: Decimal | None,
    min_notional: Decimal | None,
    max_notional: Decimal | None,
) -> list[FieldError]:
    """What is wrong with the limits of an order's size."""
    errors = []
    limits = {
        "min_quantity": min_quantity,
        "max_quantity": max_quantity,
        "min_notional": min_notional,
        "max_notional": max_notional,
    }
    for field, limit in limits.items():
        if limit is not None and limit <= 0:
            errors.append(FieldError(field, "not_positive", f"{field} must be above zero."))
        elif limit is not None and field.endswith("quantity") and not steps_of(limit, lot_size):
            detail = f"{plain(limit)} is no whole number of lots of {plain(lot_size)}."
            errors.append(FieldError(field, "off_step", detail))
    for smallest, largest in (("min_quantity", "max_quantity"), ("min_notional", "max_notional")):
        low, high = limits[smallest], limits[largest]
        if low is not None and high is not None and low > high:
            errors.append(FieldError(largest, "below_minimum", f"{largest} is below {smallest}."))
    return errors


def rate_errors(
    *, maker_fee_rate: Decimal, taker_fee_rate: Decimal, **shares: Decimal | None
) -> list[FieldError]:
    """What is wrong with fee rates and with other shares, which lie between 0 and 1.

    A maker's rebate is never more than the taker's fee, else each trade would cost the venue.
    """
    errors = []
    if not -1 < maker_fee_rate < 1:
        errors.append(FieldError("maker_fee_rate", "out_of_range", "Between -1 and 1."))
    if not 0 <= taker_fee_rate < 1:
        errors.append(FieldError("taker_fee_rate", "out_of_range", "From 0 to below 1."))
    if maker_fee_rate + taker_fee_rate < 0:
        detail = "The rebate of the maker is above the fee of the taker."
        errors.append(FieldError("maker_fee_rate", "rebate_too_large", detail))
    for field, share in shares.items():
        if share is not None and not 0 < share < 1:
            errors.append(FieldError(field, "out_of_range", "Between 0 and 1."))
    return errors


def margin_term_errors(
    *,
    is_perpetual: bool,
    lot_size: Decimal,
    initial_margin_rate: Decimal | None,
    maintenance_margin_rate: Decimal | None,
    mark_jump_limit_rate: Decimal | None,
    mark_stale_seconds: int | None,
    max_position: Decimal | None,
) -> list[FieldError]:
    """What is wrong with the terms of a perpetual: it has them all, and nothing else has any.

    0 < maintenance margin < initial margin ≤ 1. The largest position may be left open.
    """
    terms = {
        "initial_margin_rate": initial_margin_rate,
        "maintenance_margin_rate": maintenance_margin_rate,
        "mark_jump_limit_rate": mark_jump_limit_rate,
        "mark_stale_seconds": mark_stale_seconds,
    }
    if not is_perpetual:
        given = {**terms, "max_position": max_position}
        detail = "Only a perpetual has this."
        return [FieldError(f, "perpetual_only", detail) for f, v in given.items() if v is not None]
    errors = []
    for field, term in terms.items():
        if term is None:
            errors.append(FieldError(field, "required", "A perpetual needs this."))
        elif term <= 0:
            errors.append(FieldError(field, "not_positive", f"{field} must be above zero."))
    if initial_margin_rate is not None and initial_margin_rate > 1:
        errors.append(FieldError("initial_margin_rate", "out_of_range", "At most 1."))
    if not errors and terms["maintenance_margin_rate"] >= terms["initial_margin_rate"]:  # type: ignore[operator]
        detail = "The maintenance margin is below the initial margin."
        errors.append(FieldError("maintenance_margin_rate", "not_below_initial", detail))
    if max_position is not None and (max_position <= 0 or not steps_of(max_position, lot_size)):
        detail = f"max_position must be a whole number of lots of {plain(lot_size)}."
        errors.append(FieldError("max_position", "off_step", detail))
    return errors


def forced_term_errors(
    *,
    is_perpetual: bool,
    liquidation_fee_rate: Decimal | None,
    liquidation_buffer_rate: Decimal | None,
    funding_interval_seconds: int | None,
    funding_interest_rate: Decimal | None,
    funding_cap_rate: Decimal | None,
) -> list[FieldError]:
    """What is wrong with a perpetual's terms of liquidation and funding: it has them all.

    Shares are from 0 to below 1; the interest of an interval may be below zero.
    """
    shares = {
        "liquidation_fee_rate": liquidation_fee_rate,
        "liquidation_buffer_rate": liquidation_buffer_rate,
        "funding_cap_rate": funding_cap_rate,
    }
    terms = {
        **shares,
        "funding_interval_seconds": funding_interval_seconds,
        "funding_interest_rate": funding_interest_rate,
    }
    if not is_perpetual:
        detail = "Only a perpetual has this."
        return [FieldError(f, "perpetual_only", detail) for f, v in terms.items() if v is not None]
    errors = [
        FieldError(field, "required", "A perpetual needs this.")
        for field, term in terms.items()
        if term is None
    ]
    for field, share in shares.items():
        if share is not None and not 0 <= share < 1:
            errors.append(FieldError(field, "out_of_range", "From 0 to below 1."))
    if funding_interval_seconds is not None and funding_interval_seconds < 1:
        detail = "An interval of at least one second."
        errors.append(FieldError("funding_interval_seconds", "not_positive", detail))
    if funding_interest_rate is not None and not -1 < funding_interest_rate < 1:
        errors.append(FieldError("funding_interest_rate", "out_of_range", "Between -1 and 1."))
    return errors


def nearest_tick(price: Decimal, tick_size: Decimal) -> Decimal:
    """`price` in whole ticks, halves up."""
    ticks = EXACT.divide(price, tick_size).to_integral_value(ROUND_HALF_UP)
    return EXACT.multiply(ticks, tick_size)


def dealer_prices(
    price: Decimal, tick_size: Decimal, spread_rate: Decimal
) -> tuple[Decimal, Decimal]:
    """What a dealer pays and asks, in whole ticks: rounded down and up, away from the market."""
    prices = []
    for factor, rounding in ((1 - spread_rate, ROUND_FLOOR), (1 + spread_rate, ROUND_CEILING)):
        ticks = EXACT.divide(EXACT.multiply(price, factor), tick_size)
        prices.append(EXACT.multiply(ticks.to_integral_value(rounding), tick_size))
    return prices[0], prices[1]


def steps_of_price(price: Decimal, base_scale: int, quote_scale: int) -> tuple[Decimal, Decimal]:
    """Tick and lot, powers of ten, that suit a price: the tick leaves five digits of it.

    The tick is at most 1; the lot is as small as a whole `tick × lot` allows.
    """
    tick_exponent = max(-SCALE_MAX, min(price.adjusted() - 4, 0))
    lot_exponent = max(-base_scale, -quote_scale - tick_exponent)
    return Decimal(1).scaleb(tick_exponent), Decimal(1).scaleb(lot_exponent)


def fill_gaps(
    bars: Sequence[Bar],
    interval: CandleInterval,
    *,
    since: datetime,
    until: datetime,
    last: Bar | None,
) -> list[Bar]:
    """`bars` with a flat one, at the last close, for each interval without trades.

    From `since` to before `until`, both beginnings of intervals; what lies before the first trade
    stays empty. `last` is the one before `since`, if there is one.
    """
    by_beginning = {bar.opened_at: bar for bar in bars}
    filled: list[Bar] = []
    moment = since if last else min(by_beginning, default=until)
    while moment < until:
        bar = by_beginning.get(moment) or _flat(moment, last)
        filled.append(bar)
        last, moment = bar, moment + interval.length
    return filled


def _flat(opened_at: datetime, last: Bar | None) -> Bar:
    assert last is not None, "the first bar has trades"
    close = last.close_price
    return Bar(opened_at, close, close, close, close, Decimal(0), Decimal(0), 0)


def shard_of(symbol: str, shards: int) -> int:
    """The engine shard of a symbol."""
    return crc32(symbol.encode()) % shards


def _smallest_unit(scale: int) -> Decimal:
    return Decimal(1).scaleb(-scale)
