"""Funding: premiums are sampled, and payments that the engine has fixed are booked.

A payment's entry was given its id when it was fixed, so none is booked twice. Until the last one is
booked, the venue's FUNDING account holds what some have paid and others have yet to get.
"""

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from brokers.services.house import get_insurance_account_id
from common.database import retry_on_conflict
from common.money import from_units8, to_units8
from common.purging import purge_rows
from ledger.batch import LedgerBatch, LedgerRow
from ledger.bulk import ensure_client_accounts, ensure_venue_accounts, write
from ledger.bulk.sql import Cursor
from ledger.locks import lock_ledger_accounts
from ledger.services import post_entry
from ledger.types import SERVICES_SHARD, AccountKind, EntryKind, Line, VenueAccount
from margin.calculations import premium_sample
from margin.locks import lock_funding_to_finish, lock_payments_to_book
from margin.models import Funding, FundingPayment, PremiumSample
from marketdata.models import Instrument

_ACTOR = "funding"
_CHUNK = 500
# A funding reads the last interval that has ended, so less than two back. The third one is for who
# asked what is due just before an interval ended.
_INTERVALS_KEPT = 3
# Well within CELERY_TASK_TIME_LIMIT.
_SECONDS_MAX = 60.0


def record_premium(
    *,
    instrument_id: int,
    at: datetime,
    impact_bid: Decimal | None,
    impact_ask: Decimal | None,
    index_price: Decimal,
) -> bool:
    """Keep how far a perpetual's book is from its index, under the minute of `at`.

    False where a side has too little of two parties, or the minute has its sample already.
    """
    premium = premium_sample(
        None if impact_bid is None else to_units8(impact_bid),
        None if impact_ask is None else to_units8(impact_ask),
        to_units8(index_price),
    )
    minute = at.replace(second=0, microsecond=0)
    samples = PremiumSample.objects.filter(instrument_id=instrument_id, at=minute)
    if premium is None or impact_bid is None or impact_ask is None or samples.exists():
        return False
    sample = PremiumSample(
        instrument_id=instrument_id,
        at=minute,
        premium_rate=from_units8(premium),
        impact_bid=impact_bid,
        impact_ask=impact_ask,
        index_price=index_price,
    )
    PremiumSample.objects.bulk_create([sample], ignore_conflicts=True)
    return True


def purge_premium_samples(*, now: datetime) -> int:
    """Delete samples older than PREMIUM_SAMPLES_KEPT_DAYS, in chunks; returns how many.

    What a funding can still need is kept, however long the interval of its instrument is.
    """
    kept = timedelta(days=settings.PREMIUM_SAMPLES_KEPT_DAYS)
    perpetuals = Instrument.objects.filter(kind=Instrument.Kind.PERPETUAL)
    queries = []
    for instrument_id, seconds in perpetuals.values_list("id", "funding_interval_seconds"):
        assert seconds is not None, "a perpetual says when it is funded"
        before = now - max(kept, _INTERVALS_KEPT * timedelta(seconds=seconds))
        old = PremiumSample.objects.filter(instrument_id=instrument_id, at__lt=before)
        queries.append(old.order_by("at"))
    return purge_rows(*queries)


def book_fundings() -> int:
    """Book payments that are fixed and not booked, oldest funding first; returns how many.

    In chunks, each its own transaction, for a minute: what is left or was interrupted goes on with
    the next call, and several at once share the work.
    """
    fund_account_id = get_insurance_account_id()
    booked, deadline = 0, time.monotonic() + _SECONDS_MAX
    waiting = Funding.objects.filter(booked_at__isnull=True).order_by("due_at", "id")
    for funding in waiting.select_related("instrument"):
        while count := book_payments(funding=funding, fund_account_id=fund_account_id):
            booked += count
            if time.monotonic() >= deadline:
                return booked
        finish_funding(funding_id=funding.id)
    return booked


@retry_on_conflict
@transaction.atomic
def book_payments(*, funding: Funding, fund_account_id: int, limit: int = _CHUNK) -> int:
    """Book some payments of a funding that nobody else books now; returns how many.

    An entry for each: between the collateral and the FUNDING account. The insurance fund's account
    has its money in the fund's row of the instrument's shard.
    """
    payments = lock_payments_to_book(funding.id, limit=limit)
    if not payments:
        return 0
    now = datetime.now(UTC)
    accounts = {payment.account_id for payment in payments}
    with connection.cursor() as cursor:
        rows, in_transit = _lock_rows(cursor, funding, accounts, fund_account_id)
        batch = LedgerBatch([*rows.values(), in_transit])
        for payment in payments:
            amount = to_units8(payment.amount)
            entry_id = payment.entry_id.bytes
            lines = [(rows[payment.account_id], amount), (in_transit, -amount)]
            batch.post(entry_id, EntryKind.FUNDING, "funding", entry_id, lines, memo=_memo(funding))
        write(cursor, batch, actor=_ACTOR, occurred_at=funding.fixed_at).check()
    ids = [payment.id for payment in payments]
    FundingPayment.objects.filter(id__in=ids).update(booked_at=now)
    return len(payments)


@retry_on_conflict
@transaction.atomic
def finish_funding(*, funding_id: UUID) -> bool:
    """Once the last payment is booked, give the insurance fund what rounding has left.

    False where payments are still to be booked, or the funding is done already.
    """
    funding = lock_funding_to_finish(funding_id)
    if funding is None or funding.payments.filter(booked_at__isnull=True).exists():
        return False
    if funding.remainder:
        instrument = funding.instrument
        in_transit = VenueAccount(AccountKind.FUNDING, instrument.quote_asset_id)
        fund = VenueAccount(AccountKind.INSURANCE, instrument.quote_asset_id, instrument.shard)
        post_entry(
            kind=EntryKind.FUNDING,
            source_kind="funding_remainder",
            source_id=funding.id,
            lines=[Line(in_transit, -funding.remainder), Line(fund, funding.remainder)],
            actor=_ACTOR,
            memo=_memo(funding),
            occurred_at=funding.fixed_at,
        )
    funding.booked_at = datetime.now(UTC)
    funding.save(update_fields=["booked_at"])
    return True


def _lock_rows(
    cursor: Cursor, funding: Funding, account_ids: set[int], fund_account_id: int
) -> tuple[dict[int, LedgerRow], LedgerRow]:
    """What holds the money of each account, and the FUNDING account; made where missing."""
    asset_id, shard = funding.instrument.quote_asset_id, funding.instrument.shard
    margin, insurance = AccountKind.MARGIN.value, AccountKind.INSURANCE.value
    transit_key = (AccountKind.FUNDING.value, asset_id, SERVICES_SHARD)
    fund_key = (insurance, asset_id, shard)
    clients = ensure_client_accounts(
        cursor, [(one, asset_id, margin) for one in account_ids if one != fund_account_id]
    )
    ids = {account_id: row_id for (account_id, _, _), row_id in clients.items()}
    has_fund = fund_account_id in account_ids
    venue = ensure_venue_accounts(cursor, [transit_key, fund_key] if has_fund else [transit_key])
    if has_fund:
        ids[fund_account_id] = venue[fund_key]
    locked = lock_ledger_accounts(cursor, {*ids.values(), venue[transit_key]})
    return {one: locked[row_id] for one, row_id in ids.items()}, locked[venue[transit_key]]


def _memo(funding: Funding) -> str:
    return f"{funding.instrument.symbol} until {funding.due_at:%Y-%m-%d %H:%M} UTC"
