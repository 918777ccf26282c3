"""Make a transfer, or a list of them, for a caller."""

from collections.abc import Sequence

from django.db import InterfaceError, OperationalError, connection

from common.errors import OutcomeUnknown
from ledger.services.transfers.combining import Combiner, RoundBroken
from ledger.services.transfers.executing import execute
from ledger.services.transfers.orders import TransferOrder, TransferOutcome

# A round waits for the slowest of its locks and shares its fate; more than this gains nothing.
_ROUND_MAX = 250


def _is_divisible(error: Exception) -> bool:
    """A lost connection or a lock that was waited for in vain is no single transfer's fault."""
    return not isinstance(error, (OperationalError, InterfaceError))


_combiner: Combiner[TransferOrder, TransferOutcome] = Combiner(
    execute, max_size=_ROUND_MAX, is_divisible=_is_divisible
)


def make_transfer(*, order: TransferOrder) -> TransferOutcome:
    """Make one transfer, in a transaction together with those that come at the same time.

    So a wallet that everybody pays is locked and committed once for many. Inside a transaction of
    the caller, the transfer is made in that one.

    Raises:
        OutcomeUnknown: the thread that made it was stopped in the middle; names the transfer.
    """
    if connection.in_atomic_block:
        return execute([order])[0]
    try:
        return _combiner.submit(order)
    except RoundBroken as error:
        raise OutcomeUnknown(
            "Whether the transfer was made is not known: ask for it by its id.",
            transfer_id=str(order.id),
        ) from error


def make_transfers(*, orders: Sequence[TransferOrder]) -> list[TransferOutcome]:
    """Make up to 1,000 transfers in one transaction: see `execute`."""
    return execute(orders)
