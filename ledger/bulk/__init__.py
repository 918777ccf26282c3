"""Set-based writes of the ledger: the one way in which entries, postings and balances are written.

A `ledger.batch.LedgerBatch` gathers the effects of many events on locked accounts in memory;
`write` stores them in three statements, whatever their number. Money is in units8: integers of
10^-8 of an asset, whatever its scale. Columns travel as one array literal each and are scaled in
SQL, since a `Decimal` or `UUID` object for each value would cost more than the insert.

The caller owns the transaction and has locked the rows (`lock_rows`). It may pass Django's cursor,
a psycopg cursor or a psycopg connection in pipeline mode: only `execute(sql, params)` is used by
`write`, and nothing is fetched. Limits are checked by the caller (`LedgerRow.can_spend`), and
again by the database.
"""

from ledger.bulk.accounts import (
    ClientKey,
    VenueKey,
    ensure_client_accounts,
    ensure_venue_accounts,
)
from ledger.bulk.copying import PreparedCopy, copy_batch, copy_sources, prepare_copy
from ledger.bulk.wallets import LockedWallet, lock_wallets
from ledger.bulk.writing import (
    Written,
    lock_owned_statement,
    lock_rows,
    lock_statement,
    read_owned_rows,
    read_rows,
    write,
    write_balances,
    write_balances_or_fail,
    write_entries,
)

__all__ = [
    "ClientKey",
    "LockedWallet",
    "PreparedCopy",
    "VenueKey",
    "Written",
    "copy_batch",
    "copy_sources",
    "ensure_client_accounts",
    "ensure_venue_accounts",
    "lock_owned_statement",
    "lock_rows",
    "lock_statement",
    "lock_wallets",
    "prepare_copy",
    "read_owned_rows",
    "read_rows",
    "write",
    "write_balances",
    "write_balances_or_fail",
    "write_entries",
]
