"""Limits the email addresses that a caller may look for in vain, so that nobody can list them."""

from collections.abc import Iterable, Sequence

from common.attempts import take_attempt
from ledger.errors import RecipientNotFound
from ledger.services.transfers.orders import TransferOrder, TransferOutcome

FAILED_LOOKUPS_PER_HOUR = 20
_HOUR = 3600


def check_lookups(orders: Sequence[TransferOrder]) -> None:
    """See that the caller may still name an email address, if some of the orders does.

    Raises:
        Throttled: too many addresses were not found in the last hour.
    """
    named = next((order for order in orders if order.to_email is not None), None)
    if named is not None:
        _take(named, is_counted=False)


def count_failed_lookups(outcomes: Iterable[tuple[TransferOrder, TransferOutcome]]) -> None:
    """Count the addresses that were not found.

    Raises:
        Throttled: they are too many.
    """
    for order, outcome in outcomes:
        if isinstance(outcome.error, RecipientNotFound):
            _take(order)


def _take(order: TransferOrder, *, is_counted: bool = True) -> None:
    """An attempt of the account, or of the broker, whichever of its keys it uses."""
    take_attempt(
        "recipient",
        f"{order.broker_id} {order.account_id}",
        limit=FAILED_LOOKUPS_PER_HOUR,
        window_seconds=_HOUR,
        is_counted=is_counted,
    )
