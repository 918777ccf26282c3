"""Rates and payments of funding as documents of `/api/v1/`: decimals, as strings."""

from typing import Any

from margin.models import Funding, FundingPayment, PremiumSample
from margin.selectors.funding import FundingInterval

FUNDING_COLUMNS = (
    "id", "symbol", "due_at", "rate", "sample_count", "mark_price", "paid", "received",
    "remainder", "fixed_at", "booked_at",
)  # fmt: skip
PAYMENT_COLUMNS = (
    "id", "funding_id", "account_id", "symbol", "asset", "due_at", "rate", "mark_price",
    "quantity", "amount", "entry_id", "booked_at",
)  # fmt: skip


def funding_document(funding: Funding) -> dict[str, Any]:
    """A funding that was fixed; amounts are sums over all positions, in the quote asset."""
    return {
        "id": funding.id,
        "symbol": funding.instrument.symbol,
        "due_at": funding.due_at,
        "rate": funding.rate,
        "sample_count": funding.sample_count,
        "mark_price": funding.mark_price,
        "paid": funding.paid,
        "received": funding.received,
        "remainder": funding.remainder,
        "fixed_at": funding.fixed_at,
        "booked_at": funding.booked_at,
    }


def interval_document(interval: FundingInterval) -> dict[str, Any]:
    """The running interval: what its rate would be if no further sample came."""
    return {
        "since": interval.since,
        "due_at": interval.due_at,
        "rate": interval.rate,
        "sample_count": len(interval.samples),
        "samples": [_sample_document(sample) for sample in interval.samples],
    }


def payment_document(payment: FundingPayment) -> dict[str, Any]:
    """What a position paid (negative) or got."""
    funding = payment.funding
    return {
        "id": payment.id,
        "funding_id": funding.id,
        "account_id": payment.account_id,
        "symbol": funding.instrument.symbol,
        "asset": funding.instrument.quote_asset.code,
        "due_at": funding.due_at,
        "rate": funding.rate,
        "mark_price": funding.mark_price,
        "quantity": payment.quantity,
        "amount": payment.amount,
        "entry_id": payment.entry_id,
        "booked_at": payment.booked_at,
    }


def _sample_document(sample: PremiumSample) -> dict[str, Any]:
    return {
        "at": sample.at,
        "premium_rate": sample.premium_rate,
        "impact_bid": sample.impact_bid,
        "impact_ask": sample.impact_ask,
        "index_price": sample.index_price,
    }
