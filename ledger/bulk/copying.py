"""A batch as text for COPY: for loads of millions of postings, which arrays would be slow for.

The rows and the triggers are those of `writing`. Everything that is sent is made by `prepare_copy`,
so that the next batch can be gathered, in another thread too, while this one is stored.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from common.postgres_arrays import amounts, bigints
from ledger.batch import LedgerBatch, LedgerRow
from ledger.bulk.sql import Cursor, Statement
from ledger.bulk.writing import Written

_COPY_ENTRIES = """
COPY ledger_journalentry (id, kind, source_kind, source_id, actor, occurred_at) FROM STDIN
"""
_COPY_POSTINGS = """
COPY ledger_posting
     (entry_id, ledger_account_id, asset_id, amount, balance_after, account_version) FROM STDIN
"""
# Of any number of accounts: to pick the n-th element of a long array takes as long as to read it up
# to there, so the arrays are unnested.
_UPDATE_BALANCES = """
UPDATE ledger_ledgeraccount AS a
   SET posted_balance = u.posted * 0.00000001, held_amount = u.held * 0.00000001,
       version = u.version
  FROM unnest(%s, %s, %s, %s) AS u (id, posted, held, version)
 WHERE a.id = u.id
"""
_COPY_SOURCES = "COPY ledger_entrysource (kind, source_id, entry_id) FROM STDIN"


class CopyingCursor(Cursor, Protocol):
    """A cursor that can COPY: psycopg's, or Django's around it."""

    def copy(self, statement: Any, params: Any = None, /) -> Any: ...


@dataclass(frozen=True, slots=True)
class PreparedCopy:
    """Entries and postings as text, and the statement that sets the balances."""

    entries: str
    postings: str
    balances: Statement | None
    row_count: int


def prepare_copy(batch: LedgerBatch, *, actor: str, occurred_at: Sequence[str]) -> PreparedCopy:
    """What `batch` holds, ready to be sent; the batch goes on from there, empty.

    `occurred_at` has a time for each entry, as PostgreSQL reads it. Entries have no memos.
    """
    entries = "".join(
        f"{entry_id.hex()}\t{kind}\t{source_kind}\t{source_id.hex()}\t{actor}\t{moment}\n"
        for (entry_id, kind, source_kind, source_id, _), moment in zip(
            batch.entries, occurred_at, strict=True
        )
    )
    postings = "".join(
        f"{entry_id.hex()}\t{account}\t{asset}\t{amount}e-8\t{balance}e-8\t{version}\n"
        for entry_id, account, asset, amount, balance, version in batch.postings
    )
    rows = batch.dirty_rows()
    balances = _balances_statement(rows) if rows else None
    batch.entries, batch.postings = [], []
    for row in rows:
        row.is_dirty = False
    return PreparedCopy(entries, postings, balances, len(rows))


def copy_sources(cursor: CopyingCursor, kind: str, claims: Iterable[tuple[UUID, UUID]]) -> None:
    """Store the claims of entries that were copied on their causes: pairs of source and entry."""
    with cursor.copy(_COPY_SOURCES) as copy:
        copy.write("".join(f"{kind}\t{source}\t{entry}\n" for source, entry in claims))


def copy_batch(cursor: CopyingCursor, prepared: PreparedCopy) -> None:
    """Store entries, postings and balances in the caller's transaction, all triggers on.

    Raises:
        IntegrityError: a named constraint of the ledger refused it.
    """
    for statement, text in ((_COPY_ENTRIES, prepared.entries), (_COPY_POSTINGS, prepared.postings)):
        if text:
            with cursor.copy(statement) as copy:
                copy.write(text)
    if prepared.balances is not None:
        cursor.execute(*prepared.balances)
        Written(cursor, prepared.row_count).check()


def _balances_statement(rows: list[LedgerRow]) -> Statement:
    return _UPDATE_BALANCES, [
        bigints([row.id for row in rows]),
        amounts([row.posted for row in rows]),
        amounts([row.held for row in rows]),
        bigints([row.version for row in rows]),
    ]
