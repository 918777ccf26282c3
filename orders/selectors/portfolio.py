"""The portfolio of an account: holdings at their market prices, money, and what it comes to.

Prices come from price services, so this is not for use inside a transaction. A price that is
missing leaves its figures out, and never fails the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings

from common.errors import ExchangeError
from common.money import DECIMAL_PLACES, EXACT, round_half_up
from ledger.selectors.conversions import list_mid_rates
from ledger.types import AccountKind, Balance
from margin.selectors.accounts import PositionProfit, list_position_profits
from marketdata.pricing import MarketPrice, get_last_prices
from orders.selectors.holdings import Holding, choose_instruments, list_holdings_and_flat

# For all prices together: one that is not known by then is told as missing.
_PRICE_SECONDS_MAX = 5.0
_RATE_PLACES = 8
_PERCENT_PLACES = 2


@dataclass(frozen=True, slots=True)
class ValuedHolding:
    """A holding at its market price, in its quote asset; `price_error` says why there is none.

    `allocation_percent` is of the total value, where the holding counts in it.
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
class LeftOut:
    """What the totals do not count, for want of a price or of a rate into the venue's currency."""

    asset: str
    kind: str
    amount: Decimal
    reason: str


@dataclass(frozen=True, slots=True)
class RealizedProfit:
    """What trades in an instrument have realized so far, before fees, in its quote asset."""

    symbol: str
    quote_asset: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Portfolio:
    """Holdings and money; the totals are in the venue's currency.

    `cash` is in the venue's currency, `other_cash` what the cash in others is worth. `collateral`
    counts the profit of open positions in perpetuals, which `unrealized_profit` is. `total_value`
    is all of it, except what is `left_out`; `profit` is of the holdings with an average price.
    """

    holdings: tuple[ValuedHolding, ...]
    balances: tuple[Balance, ...]
    cash: Decimal
    other_cash: Decimal
    collateral: Decimal
    market_value: Decimal
    total_value: Decimal
    profit: Decimal
    profit_rate: Decimal | None
    unrealized_profit: Decimal
    realized_profits: tuple[RealizedProfit, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def is_complete(self) -> bool:
        return not self.left_out


def get_portfolio(account_id: int) -> Portfolio:
    """The portfolio of a trading account at the prices of now."""
    every, balances = list_holdings_and_flat(account_id)
    holdings = [one for one in every if one.quantity]
    positions = list_position_profits(account_id)
    foreign = {one.asset for one in balances} | {one.quote_asset for one in holdings}
    foreign |= {one.quote_asset for one in positions}
    book = _Rates(holdings, foreign - {settings.VENUE_CURRENCY})
    totals = _Totals(book)
    for balance in balances:
        totals.add_money(balance)
    for position in positions:
        totals.add_position(position)
    for holding in holdings:
        totals.add_holding(holding)
    valued = tuple(
        _valued(one, book.prices[one.symbol], book.rate(one.quote_asset), totals.value)
        for one in holdings
    )
    profits = [
        (one.profit * rate, abs(one.cost) * rate)
        for one in valued
        for rate in [book.rate(one.holding.quote_asset)]
        if one.profit is not None and one.cost is not None and rate is not None
    ]
    profit = sum((profit for profit, _ in profits), Decimal(0))
    cost = sum((cost for _, cost in profits), Decimal(0))
    return Portfolio(
        holdings=valued,
        balances=tuple(balances),
        cash=totals.cash,
        other_cash=totals.other_cash,
        collateral=totals.collateral,
        market_value=totals.market_value,
        total_value=totals.value,
        profit=round_half_up(profit, DECIMAL_PLACES),
        profit_rate=_rate(profit, cost),
        unrealized_profit=totals.unrealized_profit,
        realized_profits=(*_realized(every), *_realized_by_positions(positions)),
        left_out=tuple(totals.left_out),
    )


class _Rates:
    """The market prices of holdings, and what one unit of other assets is worth.

    That is the market price of the asset's instrument in the venue's currency, else the rate of
    conversion without its spread.
    """

    def __init__(self, holdings: Sequence[Holding], assets: set[str]) -> None:
        instruments = choose_instruments(assets)
        self._symbols = {
            asset: one.symbol
            for asset, one in instruments.items()
            if one.quote_asset.code == settings.VENUE_CURRENCY
        }
        self.prices = _prices({*(one.symbol for one in holdings), *self._symbols.values()})
        self._rates = list_mid_rates(assets, settings.VENUE_CURRENCY) if assets else {}

    def rate(self, asset: str) -> Decimal | None:
        """What one unit of an asset is worth in the venue's currency; None: it is not known."""
        if asset == settings.VENUE_CURRENCY:
            return Decimal(1)
        price = self.prices.get(self._symbols.get(asset, ""))
        return price.price if isinstance(price, MarketPrice) else self._rates.get(asset)


class _Totals:
    """Sums in the venue's currency."""

    def __init__(self, rates: _Rates) -> None:
        self._rates = rates
        self.cash = self.other_cash = self.collateral = Decimal(0)
        self.market_value = self.unrealized_profit = Decimal(0)
        self.left_out: list[LeftOut] = []

    @property
    def value(self) -> Decimal:
        return self.cash + self.other_cash + self.collateral + self.market_value

    def add_money(self, balance: Balance) -> None:
        amount = balance.posted_balance
        value = self._worth(balance.asset, str(balance.kind), amount)
        if balance.kind == AccountKind.MARGIN:
            self.collateral += value
        elif balance.asset == settings.VENUE_CURRENCY:
            self.cash += value
        else:
            self.other_cash += value

    def add_position(self, position: PositionProfit) -> None:
        if position.unrealized_pnl is None:
            reason = "no_mark_price"
            self.left_out.append(LeftOut(position.symbol, "POSITION", position.quantity, reason))
            return
        value = self._worth(position.quote_asset, "POSITION", position.unrealized_pnl)
        self.collateral += value
        self.unrealized_profit += value

    def add_holding(self, holding: Holding) -> None:
        price = self._rates.prices[holding.symbol]
        if isinstance(price, str):
            self.left_out.append(LeftOut(holding.asset, "HOLDING", holding.quantity, price))
            return
        value = EXACT.multiply(holding.quantity, price.price)
        self.market_value += self._worth(holding.quote_asset, "HOLDING", value)

    def _worth(self, asset: str, kind: str, amount: Decimal) -> Decimal:
        rate = self._rates.rate(asset)
        if rate is not None:
            return round_half_up(EXACT.multiply(amount, rate), DECIMAL_PLACES)
        if amount:
            self.left_out.append(LeftOut(asset, kind, amount, "no_conversion_rate"))
        return Decimal(0)


def _prices(symbols: set[str]) -> dict[str, MarketPrice | str]:
    """The price of each symbol, or the code of what is in its way."""
    found = get_last_prices(symbols=sorted(symbols), seconds_max=_PRICE_SECONDS_MAX)
    return {
        symbol: price.code if isinstance(price, ExchangeError) else price
        for symbol, price in found.items()
    }


def _realized(holdings: Sequence[Holding]) -> list[RealizedProfit]:
    return [
        RealizedProfit(
            one.symbol, one.quote_asset, round_half_up(one.realized_profit, DECIMAL_PLACES)
        )
        for one in holdings
        if one.realized_profit
    ]


def _realized_by_positions(positions: Sequence[PositionProfit]) -> list[RealizedProfit]:
    return [
        RealizedProfit(one.symbol, one.quote_asset, one.realized_pnl)
        for one in positions
        if one.realized_pnl
    ]


def _valued(
    holding: Holding, price: MarketPrice | str, rate: Decimal | None, total: Decimal
) -> ValuedHolding:
    cost = None
    if holding.average_price is not None:
        cost = round_half_up(
            EXACT.multiply(holding.quantity, holding.average_price), DECIMAL_PLACES
        )
    if isinstance(price, str):
        return ValuedHolding(holding, None, price, None, cost, None, None, None)
    value = holding.quantity * price.price
    profit = None if cost is None else value - cost
    share = None
    if rate is not None and total > 0:
        share = EXACT.divide(EXACT.multiply(value * 100, rate), total)
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
