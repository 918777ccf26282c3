"""Asks the price services of a class one after the other, until every ticker has its price.

A price in another currency than the instrument's is no price; so the next service is asked, and if
none has a better one, the mismatch is the answer.
"""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from math import inf

from django.conf import settings

from common.attempts import take_attempt
from common.errors import Throttled
from marketdata.pricing import breaker
from marketdata.pricing.memory import Answer, PriceRecord, Refusal, Why
from marketdata.providers import get_provider, list_chain_names
from marketdata.providers.protocol import (
    PriceProvider,
    ProviderFailed,
    ProviderThrottled,
    Quote,
)
from marketdata.types import InstrumentClass, Ticker

logger = logging.getLogger(__name__)

# Tickers in one request: as many as Yahoo takes in one address.
BULK_MAX = 100
_BUDGET_SECONDS = 60


@dataclass(frozen=True, slots=True)
class _Limits:
    timeout_seconds: float
    ends_at: float
    is_guarded: bool


def chain_of(instrument_class: InstrumentClass) -> list[PriceProvider]:
    """The services that are asked for that class, in order; those without their key are not."""
    providers = [get_provider(name) for name in list_chain_names(instrument_class)]
    return [one for one in providers if instrument_class in one.classes and one.is_configured()]


def ask_providers(
    tickers: Iterable[Ticker],
    *,
    timeout_seconds: float,
    ends_at: float = inf,
    is_guarded: bool = True,
    bulk_only: bool = False,
) -> dict[str, Answer]:
    """An answer for the symbol of each ticker; each service has `timeout_seconds` for all of them.

    `ends_at`: on the monotonic clock, when all of it is over. `is_guarded`: breakers and budgets
    count, which need Valkey. `bulk_only`: leaves out services that would take a request for each
    ticker.

    Raises:
        redis.RedisError: Valkey is away, and `is_guarded`.
    """
    answers: dict[str, Answer] = {}
    by_class = sorted(tickers, key=lambda ticker: ticker.instrument_class)
    for instrument_class, of_class in groupby(by_class, lambda ticker: ticker.instrument_class):
        chain = [one for one in chain_of(instrument_class) if one.is_bulk or not bulk_only]
        limits = _Limits(timeout_seconds, ends_at, is_guarded)
        answers |= _ask_chain(chain, list(of_class), limits)
    return answers


def ask_one_provider(name: str, tickers: Sequence[Ticker]) -> dict[str, PriceRecord]:
    """The prices of a provider that is not asked over the network."""
    provider = get_provider(name)
    quotes = provider.fetch(tickers, timeout_seconds=0)
    answers = {one.symbol: _judge(provider, one, quotes.get(one.symbol)) for one in tickers}
    return {name: one for name, one in answers.items() if isinstance(one, PriceRecord)}


def _ask_chain(
    chain: Sequence[PriceProvider],
    tickers: list[Ticker],
    limits: _Limits,
) -> dict[str, Answer]:
    found: dict[str, PriceRecord] = {}
    refused: dict[str, Refusal] = {}
    rest, has_failed = tickers, not chain
    for provider in chain:
        # A service that was not asked has neither answered nor failed, as its breaker sees it.
        covered = [ticker for ticker in rest if provider.covers(ticker)]
        if not covered:
            continue
        quotes, failures = _ask_in_parts(provider, covered, limits)
        if failures:
            logger.warning("no prices of %s: %s", provider.name, ", ".join(sorted(failures)))
            has_failed = True
        for ticker in covered:
            answer = _judge(provider, ticker, quotes.get(ticker.symbol))
            if isinstance(answer, PriceRecord):
                found[ticker.symbol] = answer
            elif answer is not None:
                refused[ticker.symbol] = answer
        rest = [ticker for ticker in rest if ticker.symbol not in found]
        if not rest:
            break
    without = Refusal(Why.FAILED if has_failed else Why.UNKNOWN)
    return found | {one.symbol: refused.get(one.symbol, without) for one in rest}


def _ask_in_parts(
    provider: PriceProvider, tickers: list[Ticker], limits: _Limits
) -> tuple[dict[str, Quote], set[str]]:
    """The quotes, and why some requests failed: one that fails does not spoil the others."""
    size = BULK_MAX if provider.is_bulk else 1
    ends_at = min(limits.ends_at, time.monotonic() + limits.timeout_seconds)
    quotes: dict[str, Quote] = {}
    failures = set()
    for start in range(0, len(tickers), size):
        left = ends_at - time.monotonic()
        try:
            if left <= 0:
                raise ProviderFailed("timeout")
            part = tickers[start : start + size]
            quotes |= _ask(provider, part, left, limits.is_guarded)
        except ProviderFailed as failure:
            failures.add(failure.word)
    return quotes, failures


def _ask(
    provider: PriceProvider, tickers: list[Ticker], timeout_seconds: float, is_guarded: bool
) -> Mapping[str, Quote]:
    if not (is_guarded and provider.is_remote):
        return provider.fetch(tickers, timeout_seconds=timeout_seconds)
    if not breaker.may_ask(provider.name):
        raise ProviderFailed("breaker_open")
    _take_from_budget(provider)
    try:
        quotes = provider.fetch(tickers, timeout_seconds=timeout_seconds)
    except ProviderFailed as failure:
        opens = isinstance(failure, ProviderThrottled)
        breaker.note_failure(provider.name, failure.word, opens=opens)
        raise
    breaker.note_success(provider.name)
    return quotes


def _take_from_budget(provider: PriceProvider) -> None:
    """Count a request; beyond what the service allows in a minute it is not asked at all."""
    limit = settings.PRICE_REQUESTS_PER_MINUTE.get(provider.name)
    if limit is None:
        return
    try:
        take_attempt("price", provider.name, limit=limit, window_seconds=_BUDGET_SECONDS)
    except Throttled as error:
        raise ProviderFailed("budget_spent") from error


def _judge(
    provider: PriceProvider, ticker: Ticker, quote: Quote | None
) -> PriceRecord | Refusal | None:
    if quote is None:
        return None
    if quote.currency != ticker.quote:
        return Refusal(Why.OTHER_CURRENCY, provider.name, quote.currency)
    return PriceRecord(
        price=quote.price,
        currency=quote.currency,
        source=provider.name,
        as_of=quote.as_of,
        told_at=datetime.now(UTC),
        is_simulated=provider.is_simulated,
    )
