"""What margin's services lock beyond, and before, the rows of `ledger.locks`."""

from uuid import UUID

from django.db import connection

from margin.models import Funding, FundingPayment

# The key of the advisory lock of who looks after margin calls.
_MARGIN_CALLS_LOCK = 0x6D63616C


def try_lock_margin_calls() -> bool:
    """Keep others from updating margin calls until the transaction ends; False: others do."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_MARGIN_CALLS_LOCK])
        return bool(cursor.fetchall()[0][0])


def lock_payments_to_book(funding_id: UUID, *, limit: int) -> list[FundingPayment]:
    """Payments that are not booked yet, by account, locked until the transaction ends.

    Those that others book at this moment are left to them.
    """
    return list(
        FundingPayment.objects.select_for_update(no_key=True, skip_locked=True)
        .filter(funding_id=funding_id, booked_at__isnull=True)
        .order_by("account_id")[:limit]
    )


def lock_funding_to_finish(funding_id: UUID) -> Funding | None:
    """The funding with its instrument, locked until the transaction ends; None when it is done."""
    return (
        Funding.objects.select_for_update(no_key=True, of=("self",))
        .select_related("instrument")
        .filter(id=funding_id, booked_at__isnull=True)
        .first()
    )
