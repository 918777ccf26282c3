"""Funding: which interval is due, what the running one will cost, rates and payments so far.

Intervals end at whole multiples of their length since 1970.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import QuerySet, Sum

from common.instants import floor_instant
from common.money import from_units8, to_units8
from margin.calculations import PREMIUM_MINUTES, funding_rate, premium_average
from margin.models import Funding, FundingPayment, PremiumSample
from marketdata.errors import NotPerpetual
from marketdata.models import Instrument
from marketdata.types import InstrumentSpec


@dataclass(frozen=True, slots=True)
class FundingInterval:
    """An interval with its premium samples, oldest first, and the rate that they give."""

    since: datetime
    due_at: datetime
    rate: Decimal
    samples: tuple[PremiumSample, ...]


@dataclass(frozen=True, slots=True)
class PaymentFilter:
    """Which payments are wanted; None: all. `since` and `until` (before) are about `due_at`."""

    broker_id: UUID | None = None
    account_id: int | None = None
    symbol: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def find_due_interval(
    instrument: InstrumentSpec, *, listed_at: datetime, now: datetime
) -> FundingInterval | None:
    """The last interval that has ended, where it is not funded yet; older ones are never made up.

    None also where the instrument was listed after it. Where the length of intervals was changed,
    what a funding has covered already is not covered again.
    """
    length = _length(instrument)
    due_at = floor_instant(now, length)
    last = Funding.objects.filter(instrument_id=instrument.id).order_by("-due_at").first()
    if listed_at >= due_at or (last is not None and last.due_at >= due_at):
        return None
    since = due_at - length if last is None else max(last.due_at, due_at - length)
    return _interval(instrument, since, due_at)


def get_running_interval(instrument: InstrumentSpec, *, now: datetime) -> FundingInterval:
    """The interval of `now`, with the rate if no further sample came.

    Raises:
        NotPerpetual: the instrument has no funding.
    """
    if instrument.kind != Instrument.Kind.PERPETUAL:
        raise NotPerpetual(symbol=instrument.symbol)
    length = _length(instrument)
    since = floor_instant(now, length)
    return _interval(instrument, since, since + length)


def get_premium(instrument_id: int, *, now: datetime) -> Decimal:
    """The average of the last samples of a perpetual's premium; 0 where there are none."""
    since = now - timedelta(minutes=PREMIUM_MINUTES)
    samples = PremiumSample.objects.filter(instrument_id=instrument_id, at__gt=since, at__lte=now)
    rates = samples.order_by("at").values_list("premium_rate", flat=True)
    return from_units8(premium_average(to_units8(rate) for rate in rates))


def list_fundings(
    instrument_id: int | None = None,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[Funding]:
    """The fundings of a perpetual, or of all, that were due from `since` on and before `until`."""
    fundings = Funding.objects.select_related("instrument")
    if instrument_id is not None:
        fundings = fundings.filter(instrument_id=instrument_id)
    return fundings.filter(**_between("due_at", since, until))


def list_payments(wanted: PaymentFilter) -> QuerySet[FundingPayment]:
    """Payments under a filter, with their fundings and instruments."""
    conditions: dict[str, Any] = _between("funding__due_at", wanted.since, wanted.until)
    if wanted.broker_id is not None:
        conditions["account__broker_id"] = wanted.broker_id
    if wanted.account_id is not None:
        conditions["account_id"] = wanted.account_id
    if wanted.symbol is not None:
        conditions["funding__instrument__symbol"] = wanted.symbol
    payments = FundingPayment.objects.select_related("funding__instrument__quote_asset")
    return payments.filter(**conditions)


def count_unbooked(instrument_id: int) -> int:
    """Payments of a perpetual that are fixed and not booked yet."""
    return FundingPayment.objects.filter(
        funding__instrument_id=instrument_id,
        funding__booked_at__isnull=True,
        booked_at__isnull=True,
    ).count()


def sum_unbooked(account_id: int, asset_id: int) -> int:
    """What fixed payments that are not booked yet will take from a collateral, in 10^-8.

    What they will bring is not counted. Of one moment: under the lock of the collateral's row.
    """
    unbooked = FundingPayment.objects.filter(
        account_id=account_id,
        booked_at__isnull=True,
        amount__lt=0,
        funding__booked_at__isnull=True,
        funding__instrument__quote_asset_id=asset_id,
    )
    total = unbooked.aggregate(total=Sum("amount"))["total"]
    return 0 if total is None else -to_units8(total)


def _interval(instrument: InstrumentSpec, since: datetime, due_at: datetime) -> FundingInterval:
    samples = PremiumSample.objects.filter(
        instrument_id=instrument.id, at__gte=since, at__lt=due_at
    ).order_by("at")
    assert instrument.funding_interest_rate is not None and instrument.funding_cap_rate is not None
    rate = funding_rate(
        [to_units8(sample.premium_rate) for sample in samples],
        to_units8(instrument.funding_interest_rate),
        to_units8(instrument.funding_cap_rate),
    )
    return FundingInterval(since, due_at, from_units8(rate), tuple(samples))


def _length(instrument: InstrumentSpec) -> timedelta:
    assert instrument.funding_interval_seconds is not None, "a perpetual says when it is funded"
    return timedelta(seconds=instrument.funding_interval_seconds)


def _between(name: str, since: datetime | None, until: datetime | None) -> dict[str, datetime]:
    bounds = {f"{name}__gte": since, f"{name}__lt": until}
    return {condition: instant for condition, instant in bounds.items() if instant is not None}
