"""Every formula of margin, on integers. Pure; units in `margin.types`.

Sources: the requirement on derivatives (20 % initial, 10 % maintenance, equity against margin), the
domain's words on perpetuals (worst side, loss reserve, liquidation and bankruptcy price), and the
published methods of the field that each docstring names. Margins are rounded up to 10^-8, so that
rounding never lends anything.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from math import ceil, floor

from common.money import UNITS8, ceil_div, half_up_div
from margin.types import Exposure, Filled, MarginState

# BitMEX: the premium is followed exactly beyond this distance from the interest rate, 0.05 %.
FUNDING_DAMPING = UNITS8 // 2_000
# A sample counts for an eighth of the average of premiums: 2 / (15 + 1), as of 15 samples.
PREMIUM_WEIGHT = 8
PREMIUM_MINUTES = 15


def notional(lots: int, price: int, factor: int) -> int:
    """What `lots` are worth at `price`; has the sign of `lots`."""
    return lots * price * factor


def apply_fill(
    quantity: int, cost_basis: int, lots: int, filled_notional: int, money_unit: int
) -> Filled:
    """A position after a fill of signed `lots` for `filled_notional` (positive).

    Adding to a position adds to its cost. Reducing releases cost in proportion, rounded half up to
    `money_unit`, and realizes the signed proceeds less what was released; closing all releases all.
    A flip closes, then opens with the rest. Average cost, as the field keeps perpetual positions.
    """
    direction = 1 if lots > 0 else -1
    if quantity * lots >= 0:
        return Filled(quantity + lots, cost_basis + direction * filled_notional, 0)
    closed = min(abs(lots), abs(quantity))
    # Exact: all lots of a fill have one price.
    closing_notional = filled_notional * closed // abs(lots)
    released = half_up_div(cost_basis * closed, abs(quantity) * money_unit) * money_unit
    realized = -direction * closing_notional - released
    opening_notional = filled_notional - closing_notional
    return Filled(quantity + lots, cost_basis - released + direction * opening_notional, realized)


def unrealized_pnl(exposure: Exposure) -> int:
    """quantity × mark − cost basis."""
    value = notional(exposure.quantity, exposure.mark, exposure.terms.factor)
    return value - exposure.cost_basis


def maintenance_margin(exposure: Exposure) -> int:
    """|quantity| × mark × maintenance rate."""
    return _margin(abs(exposure.quantity), exposure, exposure.terms.maintenance_rate)


def initial_margin(exposure: Exposure) -> int:
    """Initial rate × mark × the larger of |quantity + open buys| and |quantity − open sells|."""
    worst = max(
        abs(exposure.quantity + exposure.open_buy), abs(exposure.quantity - exposure.open_sell)
    )
    return _margin(worst, exposure, exposure.terms.initial_rate)


def loss_reserve(is_buy: bool, limit: int, mark: int, lots: int, factor: int) -> int:
    """What an order would lose against the mark if it filled at its limit now; never negative."""
    worse = limit - mark if is_buy else mark - limit
    return max(0, worse) * lots * factor


def margin_state(collateral: int, exposures: Iterable[Exposure]) -> MarginState:
    """Cross margin: one collateral carries all positions of a quote asset."""
    pnl = initial = maintenance = reserve = 0
    for exposure in exposures:
        pnl += unrealized_pnl(exposure)
        initial += initial_margin(exposure)
        maintenance += maintenance_margin(exposure)
        reserve += exposure.loss_reserve
    return MarginState(collateral, pnl, initial, maintenance, reserve)


def reduces_only(exposure: Exposure, is_buy: bool, lots: int) -> bool:
    """Whether an order, with all open orders of its side, can do no more than close."""
    if is_buy:
        return exposure.quantity < 0 and exposure.open_buy + lots <= -exposure.quantity
    return exposure.quantity > 0 and exposure.open_sell + lots <= exposure.quantity


def may_reduce(
    state: MarginState, exposure: Exposure, is_buy: bool, lots: int, price: int, fee: int
) -> bool:
    """Whether closing `lots` at `price` leaves equity ≥ 0 and equity / maintenance margin no lower.

    For an order that `reduces_only`: a risk that shrinks is allowed below the initial margin too.
    """
    worse = price - exposure.mark if is_buy else exposure.mark - price
    equity = state.equity - worse * lots * exposure.terms.factor - fee
    if equity < 0:
        return False
    rest = Exposure(exposure.terms, exposure.mark, quantity=abs(exposure.quantity) - lots)
    maintenance = state.maintenance_margin - maintenance_margin(exposure) + maintenance_margin(rest)
    return equity * state.maintenance_margin >= state.equity * maintenance


def liquidation_price(state: MarginState, exposure: Exposure) -> Fraction | None:
    """The mark in ticks at which equity is down to the maintenance margin, all else unchanged.

    (quantity × mark − equity + maintenance of the others) / (quantity − |quantity| × rate); None
    where there is no such price above zero. Source: the domain's words, checked by its example.
    """
    quantity, terms = exposure.quantity, exposure.terms
    if not quantity:
        return None
    others = state.maintenance_margin - maintenance_margin(exposure)
    value = notional(quantity, exposure.mark, terms.factor)
    slope = Fraction(quantity * UNITS8 - abs(quantity) * terms.maintenance_rate, UNITS8)
    price = (value - state.equity + others) / (slope * terms.factor)
    return price if price > 0 else None


def bankruptcy_price(state: MarginState, exposure: Exposure) -> Fraction | None:
    """The price in ticks at which closing the position uses up its share of the equity.

    mark − equity × (its maintenance / all maintenance) / quantity; shares follow the maintenance
    margin. None without a position.
    """
    if not exposure.quantity or not state.maintenance_margin:
        return None
    share = Fraction(state.equity * maintenance_margin(exposure), state.maintenance_margin)
    return exposure.mark - share / (exposure.quantity * exposure.terms.factor)


def bankruptcy_tick(state: MarginState, exposure: Exposure) -> int:
    """`bankruptcy_price` as a price in whole ticks, at least one: closing there leaves no debt.

    Rounded in favour of the account, so that what rounding costs is borne by who takes over.
    """
    price = bankruptcy_price(state, exposure)
    assert price is not None, "only a position has a bankruptcy price"
    return max(1, ceil(price) if exposure.quantity > 0 else floor(price))


def lots_to_close(
    state: MarginState, exposure: Exposure, price: int, fee_rate: int, buffer_rate: int
) -> int:
    """The fewest lots whose closing at `price` lifts equity to (1 + buffer) × maintenance margin.

    All of them where no part is enough. Zero where nothing needs closing. Partial liquidation as
    BitMEX and dYdX do it: no more is taken away than has to be.
    """
    size = abs(exposure.quantity)
    wanted = UNITS8 + buffer_rate
    missing = wanted * state.maintenance_margin - UNITS8 * state.equity
    if missing <= 0 or not size:
        return 0
    factor, mark = exposure.terms.factor, exposure.mark
    worse = mark - price if exposure.quantity > 0 else price - mark
    # Per lot, in 10^-16: what the demand falls by, less what equity loses.
    freed = wanted * mark * factor * exposure.terms.maintenance_rate
    lost = UNITS8 * UNITS8 * worse * factor + UNITS8 * price * factor * fee_rate
    gain = freed - lost
    if gain <= 0:
        return size
    return min(size, ceil_div(missing * UNITS8, gain))


def lots_to_take(
    offers: Iterable[tuple[int, int]],
    state: MarginState,
    exposure: Exposure,
    fee_rate: int,
    buffer_rate: int,
) -> int:
    """How many lots of what a book offers have to be taken, offer by offer, as `lots_to_close`.

    `offers`: price and lots of each, the best first. Fewer than that closes are returned where the
    offers do not suffice.
    """
    total = 0
    for price, offered in offers:
        lots = min(offered, lots_to_close(state, exposure, price, fee_rate, buffer_rate))
        total += lots
        if lots < offered:
            break
        state, exposure = _after_closing(state, exposure, lots, price, fee_rate)
    return total


def max_lots_where(limit: int, is_allowed: Callable[[int], bool]) -> int:
    """The most lots, up to `limit`, that are allowed; if some are not, more are not either."""
    if is_allowed(limit):
        return limit
    most, too_many = 0, limit
    while too_many - most > 1:
        middle = (most + too_many) // 2
        if is_allowed(middle):
            most = middle
        else:
            too_many = middle
    return most


def meets_maintenance_after(state: MarginState, exposure: Exposure, lots: int, price: int) -> bool:
    """Whether equity still meets the maintenance margin after a trade of signed `lots`.

    As the insurance fund is judged that takes a position over, and who is deleveraged.
    """
    traded = replace(exposure, quantity=exposure.quantity + lots)
    equity = state.equity + notional(lots, exposure.mark - price, exposure.terms.factor)
    maintenance = state.maintenance_margin - maintenance_margin(exposure)
    return equity >= maintenance + maintenance_margin(traded)


def deleverage_score(state: MarginState, exposure: Exposure) -> Fraction:
    """Who gives up a position first when the insurance fund is empty: profit × leverage.

    BitMEX's ranking: winners by profit rate × leverage, losers by profit rate / leverage.
    """
    if not exposure.quantity or not exposure.cost_basis:
        return Fraction(0)
    profit = Fraction(unrealized_pnl(exposure), abs(exposure.cost_basis))
    value = abs(notional(exposure.quantity, exposure.mark, exposure.terms.factor))
    leverage = Fraction(value, state.equity) if state.equity > 0 else Fraction(value)
    if not leverage:
        return Fraction(0)
    return profit * leverage if profit > 0 else profit / leverage


def funding_rate(premiums: Sequence[int], interest_rate: int, cap_rate: int) -> int:
    """The rate of an interval from its premium samples (10^-8 of the index each).

    BitMEX: premium + clamp(interest − premium, ±0.05 %), then within ±cap. Positive: longs pay.
    Without samples there is no rate.
    """
    if not premiums:
        return 0
    premium = half_up_div(sum(premiums), len(premiums))
    damped = premium + _clamp(interest_rate - premium, FUNDING_DAMPING)
    return _clamp(damped, cap_rate)


def premium_sample(bid: int | None, ask: int | None, index: int) -> int | None:
    """How far the book trades from the index, in 10^-8 of it; None with an empty side.

    By impact prices, as Binance and dYdX have it: max(0, bid − index) − max(0, index − ask). While
    the index lies between the two there is no premium, however wide one side is.
    """
    if bid is None or ask is None or index <= 0:
        return None
    return half_up_div((max(0, bid - index) - max(0, index - ask)) * UNITS8, index)


def premium_average(premiums: Iterable[int]) -> int:
    """The exponential average of premium samples, oldest first; it begins at no premium."""
    average = 0
    for premium in premiums:
        average += half_up_div(premium - average, PREMIUM_WEIGHT)
    return average


def computed_mark(index: int, premium: int, maintenance_rate: int) -> int:
    """The mark that follows from an index: off by the premium, and by half the maintenance rate
    at most."""
    return half_up_div(index * (UNITS8 + _clamp(premium, maintenance_rate // 2)), UNITS8)


def funding_payment(quantity: int, mark: int, factor: int, rate: int, money_unit: int) -> int:
    """What a position gets (negative: pays) in one interval: −quantity × mark × rate.

    In whole `money_unit`s: payers round up, receivers down; the remainder is the insurance fund's.
    """
    exact = -notional(quantity, mark, factor) * rate
    return exact // (UNITS8 * money_unit) * money_unit


def liquidation_fee(state: MarginState, closed_notional: int, rate: int, money_unit: int) -> int:
    """The insurance fund's fee on a liquidation, only out of equity above zero."""
    fee = ceil_div(closed_notional * rate, UNITS8 * money_unit) * money_unit
    return max(0, min(fee, state.equity // money_unit * money_unit))


def _after_closing(
    state: MarginState, exposure: Exposure, lots: int, price: int, fee_rate: int
) -> tuple[MarginState, Exposure]:
    """What is left after closing `lots` of a position at a price, fee paid."""
    direction = 1 if exposure.quantity > 0 else -1
    rest = replace(exposure, quantity=exposure.quantity - direction * lots)
    lost = notional(direction * lots, exposure.mark - price, exposure.terms.factor)
    fee = ceil_div(notional(lots, price, exposure.terms.factor) * fee_rate, UNITS8)
    freed = maintenance_margin(exposure) - maintenance_margin(rest)
    after = replace(
        state,
        collateral=state.collateral - lost - fee,
        maintenance_margin=state.maintenance_margin - freed,
    )
    return after, rest


def _margin(lots: int, exposure: Exposure, rate: int) -> int:
    return ceil_div(notional(lots, exposure.mark, exposure.terms.factor) * rate, UNITS8)


def _clamp(value: int, bound: int) -> int:
    return max(-bound, min(bound, value))
