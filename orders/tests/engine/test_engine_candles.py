"""Candles of trades that a real engine wrote."""

from decimal import Decimal

from marketdata.models import Candle
from orders.models import Trade
from orders.services.candles import build_candles
from orders.tests.engine.harness import BUY, SELL, Harness, make_account


def test_the_trades_of_an_engine_are_in_its_candles(harness: Harness) -> None:
    buyer, seller = make_account(name="B"), make_account(name="S")
    for price in (1_000, 1_200, 900, 1_100):
        harness.place(seller, SELL, 2, price)
        harness.place(buyer, BUY, 2, price)
        build_candles(shard=0)

    trades = Trade.objects.order_by("id")
    assert [trade.price for trade in trades] == [10, 12, 9, 11]
    candles = Candle.objects.filter(interval="1d").order_by("opened_at")
    first, last = candles[0], candles[len(candles) - 1]
    assert (first.open_price, last.close_price) == (10, 11)
    assert max(candle.high_price for candle in candles) == 12
    assert min(candle.low_price for candle in candles) == 9
    assert sum(candle.volume for candle in candles) == 8
    assert sum(candle.amount for candle in candles) == Decimal(84)
    assert sum(candle.trade_count for candle in candles) == 4
