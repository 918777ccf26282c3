"""What margin's services lock beyond the rows of `ledger.locks`."""

from django.db import connection

# The key of the advisory lock of who looks after margin calls.
_MARGIN_CALLS_LOCK = 0x6D63616C


def try_lock_margin_calls() -> bool:
    """Keep others from updating margin calls until the transaction ends; False: others do."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_MARGIN_CALLS_LOCK])
        return bool(cursor.fetchall()[0][0])
