"""Money of orders: notionals, fees and holds. Pure integers.

Units: money and quantities in units of 10^-8 of their asset (`UNITS8`), whatever the asset's scale;
rates in units of 10^-8 too. `fee_unit` is the asset's smallest unit in these units (USD, scale 4:
10^4), so that a fee is a whole number of smallest units. Source of the rules: `docs/glossary.md`
and the domain's words on funding and fees.
"""

from common.money import UNITS8, ceil_div, half_up_div


def fee_on(notional: int, rate: int, fee_unit: int) -> int:
    """The fee on a cumulative notional: `rate × notional`, rounded half up to the smallest unit.

    The fee of one fill is this on the notional so far, less what was charged before, so that a
    hundred small fills cost what one big one does.
    """
    return half_up_div(notional * rate, UNITS8 * fee_unit) * fee_unit


def buy_hold(notional_at_limit: int, maker_rate: int, taker_rate: int, fee_unit: int) -> int:
    """What a resting buy sets aside: its cost at the limit, the highest fee on it, one unit more.

    The extra unit pays for the two roundings of a fill that was part taker, part maker.
    """
    rate = max(maker_rate, taker_rate, 0)
    fee = ceil_div(notional_at_limit * rate, UNITS8 * fee_unit) * fee_unit
    return notional_at_limit + fee + fee_unit


def collar_bound(best_price: int, rate: int, is_buy: bool) -> int:
    """The worst price in ticks at which a market order may trade: `rate` away from the best."""
    if is_buy:
        return best_price + best_price * rate // UNITS8
    return best_price - best_price * rate // UNITS8


def is_within_band(price: int, reference_price: int, rate: int) -> bool:
    """Whether a price in ticks is at most `rate` of the reference away from it."""
    return abs(price - reference_price) * UNITS8 <= reference_price * rate
