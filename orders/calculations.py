"""Rules of orders in numbers: fees, holds and bounds in pure integers, averages as decimals.

Units of integers: money and quantities in units of 10^-8 of their asset (`UNITS8`), whatever the
asset's scale; rates in units of 10^-8 too. `fee_unit` is the asset's smallest unit in these units
(USD, scale 4: 10^4), so that a fee is a whole number of smallest units. Source of the rules:
`docs/glossary.md` and the domain's words on funding and fees.
"""

from collections.abc import Hashable, Iterable
from decimal import Decimal

from common.money import DECIMAL_PLACES, EXACT, UNITS8, ceil_div, half_up_div, round_half_up
from orders.types import Reason

# No notional has more smallest units of its quote asset, so that any batch can add it up.
NOTIONAL_UNITS_MAX = 10**18

_ACTIVE, _CLOSED = "ACTIVE", "CLOSED"


def refused_reason(*, account_status: str, broker_status: str) -> Reason | None:
    """Why an account may not trade, from its state and its broker's; None where it may."""
    if broker_status != _ACTIVE:
        return Reason.BROKER_SUSPENDED
    if account_status == _ACTIVE:
        return None
    return Reason.ACCOUNT_CLOSED if account_status == _CLOSED else Reason.ACCOUNT_SUSPENDED


def wallet_reason(wallet_status: str) -> Reason | None:
    """Why a wallet is neither debited nor credited by an order; None where it is."""
    if wallet_status == _ACTIVE:
        return None
    return Reason.WALLET_CLOSED if wallet_status == _CLOSED else Reason.WALLET_SUSPENDED


def fee_on(notional: int, rate: int, fee_unit: int) -> int:
    """The fee on a cumulative notional: `rate × notional`, rounded half up to the smallest unit.

    The fee of one fill is this on the notional so far, less what was charged before, so that a
    hundred small fills cost what one big one does.
    """
    return half_up_div(notional * rate, UNITS8 * fee_unit) * fee_unit


def buy_hold(notional_at_limit: int, maker_rate: int, taker_rate: int, fee_unit: int) -> int:
    """What a resting buy sets aside: its cost at the limit and the largest fee on it."""
    return notional_at_limit + fee_at_most(notional_at_limit, maker_rate, taker_rate, fee_unit)


def fee_at_most(notional: int, maker_rate: int, taker_rate: int, fee_unit: int) -> int:
    """The largest fee on a notional: the higher rate, rounded up once; a rebate is not counted.

    Both roles of an order together are never charged more.
    """
    rate = max(maker_rate, taker_rate, 0)
    return ceil_div(notional * rate, UNITS8 * fee_unit) * fee_unit


def collar_bound(best_price: int, rate: int, is_buy: bool) -> int:
    """The worst price in ticks at which a market order may trade: `rate` away from the best."""
    if is_buy:
        return best_price + best_price * rate // UNITS8
    return best_price - best_price * rate // UNITS8


def is_within_band(price: int, reference_price: int, rate: int) -> bool:
    """Whether a price in ticks is at most `rate` of the reference away from it."""
    return abs(price - reference_price) * UNITS8 <= reference_price * rate


def impact_price(
    offers: Iterable[tuple[Decimal, Decimal, Hashable]], notional: Decimal
) -> Decimal | None:
    """What `notional` of a side of a book costs on average, at 8 decimals, halves up.

    Offers are (price, quantity, party), best first. A party counts for half of the notional at
    most, so no single one makes the price. None where the offers do not reach the notional.
    """
    missing, quantity = notional, Decimal(0)
    left: dict[Hashable, Decimal] = {}
    for price, offered, party in offers:
        share = left.get(party, notional / 2)
        part = min(EXACT.multiply(price, offered), share, missing)
        left[party] = share - part
        missing -= part
        quantity = EXACT.add(quantity, EXACT.divide(part, price))
        if not missing:
            return round_half_up(EXACT.divide(notional, quantity), DECIMAL_PLACES)
    return None


def next_average_price(
    average: Decimal | None, *, amount: Decimal, balance_after: Decimal, price: Decimal | None
) -> Decimal | None:
    """What a holding cost on average after one more posting of `amount`, at 60 digits.

    What adds to a holding is weighted with what was there, what takes from it leaves the average; a
    holding below zero (short) the same way round. What has no `price` (a deposit) counts at the
    average that is there. None: nothing is held, or nothing of it was bought.
    """
    before = balance_after - amount
    if not balance_after:
        return None
    if before * balance_after < 0:
        return price
    is_less = abs(balance_after) < abs(before)
    if is_less or price is None:
        return average if before else None
    if average is None or not before:
        return price
    cost = EXACT.add(EXACT.multiply(abs(before), average), EXACT.multiply(abs(amount), price))
    return EXACT.divide(cost, abs(balance_after))


def realized_profit(
    average: Decimal | None, *, amount: Decimal, balance_after: Decimal, price: Decimal | None
) -> Decimal:
    """What one more posting of `amount` realizes, at 60 digits: what it closes at `price`, less
    what that had cost on `average`. Zero where either is unknown, or nothing is closed.
    """
    before = balance_after - amount
    if average is None or price is None or before * amount >= 0:
        return Decimal(0)
    closed = min(abs(amount), abs(before)).copy_sign(before)
    return EXACT.multiply(EXACT.subtract(price, average), closed)
