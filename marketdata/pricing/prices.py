"""The market price of a symbol: remembered, or asked for by one caller while the others wait.

A perpetual's is its mark price, for which nobody is asked; what follows is of the others.

However many processes and threads ask at once, a price service gets one request for a symbol. When
none of them answers, the last good price is told with its age; past PRICE_STALE_SECONDS nobody may
deal on it, nor on a price whose market time is too long ago (`PriceRecord.is_stale`). Without
Valkey one caller of a process at a time asks directly, with a short time-out.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from math import inf

import redis
from django.conf import settings

from common.attempts import take_attempt
from common.database import is_in_transaction
from common.errors import ExchangeError
from marketdata.calculations import dealer_prices, nearest_tick
from marketdata.errors import CurrencyMismatch, NoMarketPrice, UnknownTicker
from marketdata.models import Instrument
from marketdata.pricing.chain import ask_one_provider, ask_providers, chain_of
from marketdata.pricing.memory import (
    Answer,
    PriceRecord,
    Refusal,
    Remembered,
    Why,
    asking,
    recall,
    remember,
)
from marketdata.pricing.tickers import get_ticker, list_ticker, ticker_of
from marketdata.pricing.watching import watch
from marketdata.selectors import find_instrument_spec, find_mark
from marketdata.types import InstrumentClass, InstrumentSpec, MarketPrice, Ticker

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.05
_WAIT_SECONDS_MAX = 3.0
_DIRECT_TIMEOUT_SECONDS = 2.0
_MARK = "mark"
_direct_turn = threading.Lock()


@dataclass(frozen=True, slots=True)
class _Found:
    """What is known of a symbol at last; `is_cached`: no service told it just now."""

    known: Remembered
    is_cached: bool


def get_market_price(*, symbol: str) -> MarketPrice:
    """The price at which one may deal in `symbol` (upper case) now, at most 3 minutes old, or as
    old as PRICE_STALE_SECONDS while no price service answers.

    A symbol that is not listed, but known to a price service, is listed where open listing is on.
    Not inside a transaction: it may take seconds.

    Raises:
        UnknownTicker: there is no such instrument, and no price service knows it.
        NoMarketPrice: no price service answers and the last good price is too old; or the mark of
            a perpetual is stale, or there never was one.
        CurrencyMismatch: price services quote it in another currency.
        Throttled: too many symbols that are not listed were asked for.
    """
    price = get_last_price(symbol=symbol)
    if price.is_stale:
        raise NoMarketPrice(symbol=symbol, age_seconds=price.age_seconds, as_of=price.as_of)
    return price


def get_last_price(*, symbol: str) -> MarketPrice:
    """As `get_market_price`, but a last good price is told whatever its age, marked `is_stale`.

    Raises:
        UnknownTicker, NoMarketPrice, CurrencyMismatch, Throttled: as there.
    """
    assert not is_in_transaction(), "market prices are asked for before the transaction"
    ticker = get_ticker(symbol)
    if ticker.instrument is not None and ticker.instrument.kind == Instrument.Kind.PERPETUAL:
        return _mark_price(ticker.instrument)
    return _market_price(ticker, _find_out([ticker], wait_seconds=_WAIT_SECONDS_MAX)[symbol])


def get_last_prices(
    *, symbols: Iterable[str], seconds_max: float
) -> dict[str, MarketPrice | ExchangeError]:
    """Of each listed symbol what `get_last_price` tells, or the error in its way.

    All are asked for together. What nobody has told after `seconds_max` is told as last known. Not
    inside a transaction.
    """
    assert not is_in_transaction(), "market prices are asked for before the transaction"
    specs = {symbol: find_instrument_spec(symbol) for symbol in symbols}
    tickers = {
        symbol: ticker_of(spec)
        for symbol, spec in specs.items()
        if spec is not None and spec.kind != Instrument.Kind.PERPETUAL
    }
    ends_at = time.monotonic() + seconds_max
    found = _find_out(tickers.values(), wait_seconds=seconds_max, ends_at=ends_at)

    def tell(symbol: str) -> MarketPrice:
        spec = specs[symbol]
        if spec is None:
            raise UnknownTicker(symbol=symbol)
        if spec.kind == Instrument.Kind.PERPETUAL:
            return _mark_price(spec)
        return _market_price(tickers[symbol], found[symbol])

    return {symbol: _or_error(tell, symbol) for symbol in specs}


def get_pair_rate(*, base: str, quote: str) -> Decimal | None:
    """What one unit of a currency costs in another one now, by the price services: not rounded.

    None where none of them knows the pair. Not inside a transaction.

    Raises:
        NoMarketPrice: none of them answers, and the last good price is too old.
        CurrencyMismatch, Throttled: as `get_market_price`.
    """
    assert not is_in_transaction(), "market prices are asked for before the transaction"
    symbol = f"{base}-{quote}"
    spec = find_instrument_spec(symbol)
    is_listed = spec is not None and (spec.base_asset, spec.quote_asset) == (base, quote)
    ticker = Ticker(symbol, InstrumentClass.CRYPTO, base, quote, spec if is_listed else None)
    known = _find_out([ticker], wait_seconds=_WAIT_SECONDS_MAX)[symbol].known
    if known.price is None and known.refusal is not None and known.refusal.why == Why.UNKNOWN:
        return None
    record = _settle(ticker, known)
    if record.is_stale(InstrumentClass.CRYPTO):
        raise NoMarketPrice(symbol=symbol, age_seconds=record.age_seconds())
    return record.price


def _or_error(tell: Callable[[str], MarketPrice], symbol: str) -> MarketPrice | ExchangeError:
    try:
        return tell(symbol)
    except ExchangeError as error:
        return error


def _mark_price(instrument: InstrumentSpec) -> MarketPrice:
    mark, now = find_mark(instrument.id), datetime.now(UTC)
    if mark is None:
        raise NoMarketPrice("There is no mark price yet", symbol=instrument.symbol)
    return MarketPrice(
        symbol=instrument.symbol,
        price=mark.price,
        bid=mark.price,
        ask=mark.price,
        currency=instrument.quote_asset,
        source=_MARK,
        as_of=mark.as_of,
        age_seconds=mark.age_seconds(now),
        is_cached=False,
        is_simulated=False,
        is_stale=mark.is_stale(now, instrument.mark_stale_seconds),
    )


def _find_out(
    tickers: Collection[Ticker], *, wait_seconds: float, ends_at: float = inf
) -> dict[str, _Found]:
    """What is known of each symbol at last.

    What others ask for is waited for, `wait_seconds` at most; at `ends_at`, on the monotonic clock,
    the services' time is over too.
    """
    try:
        found = _remembered_or_asked(tickers, time.monotonic() + wait_seconds, ends_at)
        watch(symbol for symbol, one in found.items() if one.known.price is not None)
    except redis.RedisError as error:
        logger.warning("market prices are not remembered: %s", error)
        found = _ask_directly(tickers, ends_at)
    return found | _renew_made_up(tickers, found)


def _renew_made_up(tickers: Iterable[Ticker], found: Mapping[str, _Found]) -> dict[str, _Found]:
    """Made-up prices of this second for those that are remembered: they cost nobody a request.

    What is remembered of them is that no service before them in the chain knows the symbol.
    """
    made_up: dict[str, list[Ticker]] = {}
    for ticker in tickers:
        one = found[ticker.symbol]
        if one.is_cached and one.known.price is not None and one.known.price.is_simulated:
            made_up.setdefault(one.known.price.source, []).append(ticker)
    renewed: dict[str, _Found] = {}
    for source, of_source in made_up.items():
        for symbol, answer in ask_one_provider(source, of_source).items():
            renewed[symbol] = _found(found[symbol].known, answer)
    return renewed


def _remembered_or_asked(
    tickers: Collection[Ticker], wait_until: float, ends_at: float
) -> dict[str, _Found]:
    found: dict[str, _Found] = {}
    rest = {ticker.symbol: ticker for ticker in tickers}
    while True:
        known = recall(rest.values())
        found |= {symbol: _Found(one, True) for symbol, one in known.items() if one.is_settled()}
        found |= _ask_once([rest[symbol] for symbol in rest if symbol not in found], ends_at)
        rest = {symbol: ticker for symbol, ticker in rest.items() if symbol not in found}
        if not rest:
            return found
        if time.monotonic() >= wait_until:
            failed = Refusal(Why.FAILED)
            return found | {symbol: _Found(known[symbol].after(failed), True) for symbol in rest}
        time.sleep(_POLL_SECONDS)


def _ask_once(tickers: Collection[Ticker], ends_at: float) -> dict[str, _Found]:
    """Ask for those that nobody else asks for, with their symbols' locks."""
    seconds_max = _seconds_to_ask(tickers)
    with ExitStack() as locks:
        mine = {
            ticker.symbol: ticker
            for ticker in tickers
            if locks.enter_context(asking(ticker.symbol, seconds_max=seconds_max))
        }
        # Who had the lock before may have just found out.
        known = recall(mine.values())
        due = [mine[symbol] for symbol, one in known.items() if not one.is_settled()]
        if any(ticker.instrument is None for ticker in due):
            limit = settings.PRICE_PROBES_PER_MINUTE
            take_attempt("price-probe", "venue", limit=limit, window_seconds=60)
        answers = ask_providers(
            due, timeout_seconds=settings.PRICE_TIMEOUT_SECONDS, ends_at=ends_at
        )
        remember(due, answers)
    return {symbol: _found(one, answers.get(symbol)) for symbol, one in known.items()}


def _ask_directly(tickers: Collection[Ticker], ends_at: float) -> dict[str, _Found]:
    """Without Valkey: for one caller at a time, since nobody remembers anything."""
    answers: dict[str, Answer] = {}
    if _direct_turn.acquire(timeout=_DIRECT_TIMEOUT_SECONDS):
        try:
            answers = ask_providers(
                tickers, timeout_seconds=_DIRECT_TIMEOUT_SECONDS, ends_at=ends_at, is_guarded=False
            )
        finally:
            _direct_turn.release()
    nothing, failed = Remembered(None, None), Refusal(Why.FAILED)
    return {one.symbol: _found(nothing, answers.get(one.symbol, failed)) for one in tickers}


def _found(known: Remembered, answer: Answer | None) -> _Found:
    """What is known after an answer; None: nobody was asked."""
    is_told = isinstance(answer, PriceRecord)
    return _Found(known if answer is None else known.after(answer), is_cached=not is_told)


def _seconds_to_ask(tickers: Iterable[Ticker]) -> float:
    services = sum(len(chain_of(one)) for one in {ticker.instrument_class for ticker in tickers})
    return settings.PRICE_TIMEOUT_SECONDS * services


def _settle(ticker: Ticker, known: Remembered) -> PriceRecord:
    """The remembered price, or the error of the refusal.

    Prices in another currency are wrong now, whatever they were before.
    """
    refusal = known.refusal
    if refusal is not None and refusal.why == Why.OTHER_CURRENCY:
        raise CurrencyMismatch(
            symbol=ticker.symbol,
            expected=ticker.quote,
            currency=refusal.currency,
            source=refusal.source,
        )
    if known.price is not None:
        return known.price
    if refusal is not None and refusal.why == Why.UNKNOWN and ticker.instrument is None:
        raise UnknownTicker(symbol=ticker.symbol)
    raise NoMarketPrice(symbol=ticker.symbol)


def _market_price(ticker: Ticker, found: _Found) -> MarketPrice:
    record = _settle(ticker, found.known)
    spec = list_ticker(ticker, record.price)
    price = nearest_tick(record.price, spec.tick_size)
    if price <= 0:
        raise NoMarketPrice("The market price is less than half a tick", symbol=spec.symbol)
    bid, ask = dealer_prices(record.price, spec.tick_size, settings.DEALER_SPREAD_RATE)
    return MarketPrice(
        symbol=spec.symbol,
        price=price,
        bid=bid,
        ask=ask,
        currency=record.currency,
        source=record.source,
        as_of=record.as_of,
        age_seconds=record.age_seconds(),
        is_cached=found.is_cached,
        is_simulated=record.is_simulated,
        is_stale=record.is_stale(ticker.instrument_class),
    )
