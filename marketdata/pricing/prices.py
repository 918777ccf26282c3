"""The market price of a symbol: remembered, or asked for by one caller while the others wait.

A perpetual's is its mark price, for which nobody is asked; what follows is of the others.

However many processes and threads ask at once, a price service gets one request for a symbol. When
none of them answers, the last good price is told with its age; past PRICE_STALE_SECONDS nobody may
deal on it. Without Valkey one caller of a process at a time asks directly, with a short time-out.
"""

import logging
import threading
import time
from datetime import UTC, datetime

import redis
from django.conf import settings

from common.attempts import take_attempt
from common.database import is_in_transaction
from marketdata.calculations import nearest_tick
from marketdata.errors import CurrencyMismatch, NoMarketPrice, UnknownTicker
from marketdata.models import Instrument
from marketdata.pricing.chain import ask_providers, chain_of
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
from marketdata.pricing.tickers import get_ticker, list_ticker
from marketdata.pricing.watching import watch
from marketdata.selectors import find_mark
from marketdata.types import InstrumentSpec, MarketPrice, Ticker

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.05
_WAIT_SECONDS_MAX = 3.0
_DIRECT_TIMEOUT_SECONDS = 2.0
_MARK = "mark"
_direct_turn = threading.Lock()


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
        raise NoMarketPrice(symbol=symbol, age_seconds=price.age_seconds)
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
    try:
        record, is_cached = _remembered_or_asked(ticker)
        watch(symbol)
    except redis.RedisError as error:
        logger.warning("market prices are not remembered: %s", error)
        record, is_cached = _ask_directly(ticker), False
    return _market_price(record, list_ticker(ticker, record.price), is_cached)


def _mark_price(instrument: InstrumentSpec) -> MarketPrice:
    mark, now = find_mark(instrument.id), datetime.now(UTC)
    if mark is None:
        raise NoMarketPrice("There is no mark price yet", symbol=instrument.symbol)
    return MarketPrice(
        symbol=instrument.symbol,
        price=mark.price,
        currency=instrument.quote_asset,
        source=_MARK,
        as_of=mark.as_of,
        age_seconds=mark.age_seconds(now),
        is_cached=False,
        is_simulated=False,
        is_stale=mark.is_stale(now, instrument.mark_stale_seconds),
    )


def _remembered_or_asked(ticker: Ticker) -> tuple[PriceRecord, bool]:
    """A record, and whether it was there already."""
    deadline = time.monotonic() + _WAIT_SECONDS_MAX
    while True:
        known = recall(ticker.symbol)
        if _is_settled(known):
            return _settle(ticker, known), True
        with asking(ticker.symbol, seconds_max=_seconds_to_ask(ticker)) as is_mine:
            if is_mine:
                return _ask_once(ticker)
        if time.monotonic() >= deadline:
            return _settle(ticker, Remembered(known.price, Refusal(Why.FAILED))), True
        time.sleep(_POLL_SECONDS)


def _ask_once(ticker: Ticker) -> tuple[PriceRecord, bool]:
    """With the symbol's lock: ask, unless who had it before has just found out."""
    known = recall(ticker.symbol)
    if _is_settled(known):
        return _settle(ticker, known), True
    if ticker.instrument is None:
        limit = settings.PRICE_PROBES_PER_MINUTE
        take_attempt("price-probe", "venue", limit=limit, window_seconds=60)
    answer = _ask(ticker, settings.PRICE_TIMEOUT_SECONDS)
    remember({ticker.symbol: answer})
    if isinstance(answer, PriceRecord):
        return answer, False
    return _settle(ticker, Remembered(known.price, answer)), True


def _ask_directly(ticker: Ticker) -> PriceRecord:
    """Without Valkey: for one caller at a time, since nobody remembers anything."""
    if not _direct_turn.acquire(timeout=_DIRECT_TIMEOUT_SECONDS):
        raise NoMarketPrice(symbol=ticker.symbol)
    try:
        answer = _ask(ticker, _DIRECT_TIMEOUT_SECONDS, is_guarded=False)
    finally:
        _direct_turn.release()
    return answer if isinstance(answer, PriceRecord) else _settle(ticker, Remembered(None, answer))


def _ask(ticker: Ticker, timeout_seconds: float, *, is_guarded: bool = True) -> Answer:
    answers = ask_providers([ticker], timeout_seconds=timeout_seconds, is_guarded=is_guarded)
    return answers[ticker.symbol]


def _seconds_to_ask(ticker: Ticker) -> float:
    return settings.PRICE_TIMEOUT_SECONDS * len(chain_of(ticker.instrument_class))


def _is_settled(known: Remembered) -> bool:
    """Whether there is nothing to ask now."""
    return known.refusal is not None or (known.price is not None and known.price.is_fresh())


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


def _market_price(record: PriceRecord, spec: InstrumentSpec, is_cached: bool) -> MarketPrice:
    price = nearest_tick(record.price, spec.tick_size)
    if price <= 0:
        raise NoMarketPrice("The market price is less than half a tick", symbol=spec.symbol)
    return MarketPrice(
        symbol=spec.symbol,
        price=price,
        currency=record.currency,
        source=record.source,
        as_of=record.as_of,
        age_seconds=record.age_seconds(),
        is_cached=is_cached,
        is_simulated=record.is_simulated,
        is_stale=record.is_stale(),
    )
