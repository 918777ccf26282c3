"""Every lock of the ledger's services, in the one order: source, trading account, ledger accounts.

A source is also the request or the quote that an entry follows from. Ledger accounts are locked in
the order of their ids (`ledger.bulk.lock_rows`), as the engine does.
"""

import hashlib
from collections.abc import Sequence
from uuid import UUID

from brokers.errors import AccountNotFound
from brokers.models import TradingAccount
from ledger.bulk import LedgerRow, lock_rows
from ledger.bulk.sql import Cursor, integers
from ledger.errors import QuoteNotFound, RequestNotFound, UnknownEntry
from ledger.models import ConversionQuote, EntrySource, JournalEntry, MoneyRequest

# The key of the advisory lock of who seals.
_SEALING_LOCK = 0x7365616C

_CLAIM_SOURCE = """
INSERT INTO ledger_entrysource (kind, source_id, entry_id) VALUES (%s, %s, %s)
    ON CONFLICT DO NOTHING RETURNING entry_id
"""

_TRY_LOCK_KEYS = """
SELECT n, pg_try_advisory_xact_lock(number)
  FROM unnest(%s::bigint[]) WITH ORDINALITY AS u (number, n) ORDER BY n
"""


def try_lock_keys(cursor: Cursor, names: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those of the Idempotency-Keys `(owner, key)` that no other transaction works on.

    They are locked until the transaction ends. Waits for nobody.
    """
    cursor.execute(_TRY_LOCK_KEYS, [integers(_lock_number(*name) for name in names)])
    return {names[n - 1] for n, is_locked in cursor.fetchall() if is_locked}


def claim_source(cursor: Cursor, *, kind: str, source_id: UUID, entry_id: UUID) -> UUID:
    """The entry that books this source: `entry_id`, or the one that claimed it before.

    Waits for a transaction that is about to claim the same source.
    """
    cursor.execute(_CLAIM_SOURCE, [kind, source_id, entry_id])
    if cursor.fetchall():
        return entry_id
    return EntrySource.objects.get(kind=kind, source_id=source_id).entry_id


def lock_entry(entry_id: UUID) -> JournalEntry:
    """The entry that is to be reversed, locked until the transaction ends: one asks at a time.

    Raises:
        UnknownEntry: there is none of that id.
    """
    try:
        return JournalEntry.objects.select_for_update(no_key=True).get(id=entry_id)
    except JournalEntry.DoesNotExist as error:
        raise UnknownEntry(entry_id=entry_id) from error


def lock_request(request_id: UUID) -> MoneyRequest:
    """The request for money, locked until the transaction ends.

    Raises:
        RequestNotFound: there is none of that id.
    """
    try:
        return MoneyRequest.objects.select_for_update(no_key=True).get(id=request_id)
    except MoneyRequest.DoesNotExist as error:
        raise RequestNotFound(request_id=request_id) from error


def lock_quote(quote_id: UUID) -> ConversionQuote:
    """The quote, locked until the transaction ends.

    Raises:
        QuoteNotFound: there is none of that id.
    """
    try:
        return ConversionQuote.objects.select_for_update(no_key=True).get(id=quote_id)
    except ConversionQuote.DoesNotExist as error:
        raise QuoteNotFound(quote_id=quote_id) from error


def lock_trading_account(account_id: int) -> TradingAccount:
    """The trading account, locked until the transaction ends.

    Raises:
        AccountNotFound: there is none of that id.
    """
    try:
        return TradingAccount.objects.select_for_update(no_key=True).get(id=account_id)
    except TradingAccount.DoesNotExist as error:
        raise AccountNotFound(account_id=account_id) from error


def lock_ledger_accounts(cursor: Cursor, ids: set[int]) -> dict[int, LedgerRow]:
    """The ledger accounts by id, locked until the transaction ends."""
    return {row.id: row for row in lock_rows(cursor, ids)}


def try_lock_sealing(cursor: Cursor) -> bool:
    """Whether this transaction is now the only one that seals; it does not wait to become it."""
    cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_SEALING_LOCK])
    return bool(cursor.fetchall()[0][0])


def _lock_number(owner: str, key: str) -> int:
    digest = hashlib.sha256(f"idempotency {owner} {key}".encode()).digest()
    return int.from_bytes(digest[:8], signed=True)


def lock_wallets(executor: Executor, ids: set[int]) -> dict[int, LockedWallet]:
    """The wallets among these ledger accounts, locked until the transaction ends.

    In a pipeline it is one round trip: what is not locked is read after the locks.
    """
    locked = executor.execute(*lock_statement(ids))
    described = executor.execute(_DESCRIBE_WALLETS, [integers(ids)])
    facts = {row[0]: row[1:] for row in described.fetchall()}
    return {
        row.id: LockedWallet(row, *facts[row.id]) for row in read_rows(locked) if row.id in facts
    }
