"""The portfolio of an account: holdings at their market prices, money, and what it comes to.

Prices come from price services, so this is not for use inside a transaction. A price that is
missing leaves its figures out, and never fails the rest.
"""

from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings

from common.errors import ExchangeError
from common.money import DECIMAL_PLACES, EXACT, round_half_up
from ledger.types import Balance
from marketdata.pricing import MarketPrice, get_last_prices
from orders.selectors.holdings import Holding, list_holdings

# For all prices together: one that is not known by then is told as missing.
_PRICE_SECONDS_MAX = 5.0
_RATE_PLACES = 8
_PERCENT_PLACES = 2


@dataclass(frozen=True, slots=True)
class ValuedHolding:
    """A holding at its market price, in its quote asset; `price_error` says why there is none.

    `allocation_percent` is of all that is priced in the venue's currency, its cash included.
    """

    holding: Holding
    price: MarketPrice | None
    price_error: str | None
    market_value: Decimal | None
    cost: Decimal | None
    profit: Decimal | None
    profit_rate: Decimal | None
    allocation_percent: Decimal | None


@dataclass(frozen=True, slots=True)
class Portfolio:
    """Holdings and money; the totals are of what is in the venue's currency and has a price.

    `profit` is of the holdings with an average price.
    """

    holdings: tuple[ValuedHolding, ...]
    balances: tuple[Balance, ...]
    cash: Decimal
    market_value: Decimal
    total_value: Decimal
    profit: Decimal
    profit_rate: Decimal | None
    is_complete: bool


def get_portfolio(account_id: int) -> Portfolio:
    """The portfolio of a trading account at the prices of now."""
    holdings, balances = list_holdings(account_id)
    prices = _prices(holdings)
    cash = sum((_cash_of(balance) for balance in balances), Decimal(0))
    counted = [one for one in holdings if one.quote_asset == settings.VENUE_CURRENCY]
    market_value = Decimal(0)
    for one in counted:
        price = prices[one.symbol]
        if isinstance(price, MarketPrice):
            market_value += one.quantity * price.price
    total = cash + market_value
    valued = tuple(_valued(one, prices[one.symbol], total) for one in holdings)
    profits = [
        (one.profit, one.cost)
        for one in valued
        if one.profit is not None
        and one.cost is not None
        and one.holding.quote_asset == settings.VENUE_CURRENCY
    ]
    profit = sum((profit for profit, _ in profits), Decimal(0))
    cost = sum((abs(cost) for _, cost in profits), Decimal(0))
    return Portfolio(
        holdings=valued,
        balances=tuple(balances),
        cash=cash,
        market_value=market_value,
        total_value=total,
        profit=profit,
        profit_rate=_rate(profit, cost),
        is_complete=all(one.price is not None for one in valued),
    )


def _prices(holdings: list[Holding]) -> dict[str, MarketPrice | str]:
    """The price of each symbol, or the code of what is in its way."""
    symbols = [one.symbol for one in holdings]
    told = get_last_prices(symbols=symbols, seconds_max=_PRICE_SECONDS_MAX)
    return {
        symbol: price.code if isinstance(price, ExchangeError) else price
        for symbol, price in told.items()
    }


def _valued(holding: Holding, price: MarketPrice | str, total: Decimal) -> ValuedHolding:
    cost = None
    if holding.average_price is not None:
        cost = round_half_up(
            EXACT.multiply(holding.quantity, holding.average_price), DECIMAL_PLACES
        )
    if isinstance(price, str):
        return ValuedHolding(holding, None, price, None, cost, None, None, None)
    value = holding.quantity * price.price
    profit = None if cost is None else value - cost
    is_counted = holding.quote_asset == settings.VENUE_CURRENCY and total > 0
    share = EXACT.divide(value * 100, total) if is_counted else None
    return ValuedHolding(
        holding=holding,
        price=price,
        price_error=None,
        market_value=value,
        cost=cost,
        profit=profit,
        profit_rate=None if profit is None or cost is None else _rate(profit, abs(cost)),
        allocation_percent=None if share is None else round_half_up(share, _PERCENT_PLACES),
    )


def _rate(profit: Decimal, cost: Decimal) -> Decimal | None:
    return round_half_up(EXACT.divide(profit, cost), _RATE_PLACES) if cost else None


def _cash_of(balance: Balance) -> Decimal:
    is_cash = balance.asset == settings.VENUE_CURRENCY and balance.kind == "CASH"
    return balance.posted_balance if is_cash else Decimal(0)
