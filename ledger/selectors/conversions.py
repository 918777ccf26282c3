"""Rates, quotes and conversions."""

from collections.abc import Iterable
from decimal import Decimal
from uuid import UUID

from django.db.models import Q, QuerySet

from common.money import EXACT
from ledger.calculations import net_rate, round_rate
from ledger.errors import QuoteNotFound
from ledger.models import ConversionQuote, ConversionRate

_RELATED = ("source__asset", "source__trading_account", "destination__asset")


def find_net_rate(
    from_asset_id: int, to_asset_id: int, *, market_rate: Decimal | None = None
) -> Decimal | None:
    """What a client gets for one unit, with the spread, at 18 places; None where nobody set a rate.

    It may follow from the rate of the pair the other way round. `market_rate` takes the place of
    the rate of a pair that follows the market (`find_followed_pair`).
    """
    found = rates_of_pair(from_asset_id, to_asset_id).filter(is_active=True).first()
    if found is None:
        return None
    rate = found.rate
    is_inverse = found.base_id != from_asset_id
    if found.follows_market and market_rate is not None:
        rate = round_rate(market_rate, is_inverse=is_inverse)
    return (net_rate(rate, found.spread_rate, is_inverse=is_inverse) or None) if rate else None


def find_followed_pair(from_code: str, to_code: str) -> tuple[str, str] | None:
    """Codes of base and quote of the pair whose market rate counts; None where a set rate does."""
    there = Q(base__code=from_code, quote__code=to_code)
    back = Q(base__code=to_code, quote__code=from_code)
    followed = ConversionRate.objects.filter(there | back, is_active=True, follows_market=True)
    return followed.values_list("base__code", "quote__code").first()


def list_mid_rates(codes: Iterable[str], into: str) -> dict[str, Decimal]:
    """What one unit of each of these assets is worth in another, without a spread, at 60 digits.

    Assets without a rate are left out.
    """
    pairs = Q(base__code__in=codes, quote__code=into) | Q(base__code=into, quote__code__in=codes)
    found = ConversionRate.objects.filter(pairs, is_active=True)
    rows = found.values_list("base__code", "quote__code", "rate")
    return {
        base if quote == into else quote: rate if quote == into else EXACT.divide(1, rate)
        for base, quote, rate in rows
    }


def rates_of_pair(one_asset_id: int, other_asset_id: int) -> QuerySet[ConversionRate]:
    """The row of a pair of assets, whichever way round it stands."""
    there = Q(base=one_asset_id, quote=other_asset_id)
    back = Q(base=other_asset_id, quote=one_asset_id)
    return ConversionRate.objects.filter(there | back)


def get_conversion_pairs() -> set[tuple[str, str]]:
    """Codes of base and quote of every rate, active or not."""
    return set(ConversionRate.objects.values_list("base__code", "quote__code"))


def get_quote(quote_id: UUID) -> ConversionQuote:
    """The quote with its wallets, of whichever account: the caller decides who may see it.

    Raises:
        QuoteNotFound: there is none.
    """
    quote = ConversionQuote.objects.select_related(*_RELATED).filter(id=quote_id).first()
    if quote is None:
        raise QuoteNotFound(quote_id=quote_id)
    return quote


def list_conversions(*, broker_id: UUID, account_id: int | None) -> QuerySet[ConversionQuote]:
    """The quotes that were used, of a broker or of one account."""
    conversions = ConversionQuote.objects.select_related(*_RELATED).filter(
        entry__isnull=False, source__trading_account__broker_id=broker_id
    )
    if account_id is None:
        return conversions
    return conversions.filter(source__trading_account_id=account_id)
