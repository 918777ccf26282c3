"""Answers that were kept for an Idempotency-Key."""

from collections.abc import Sequence

from ledger.bulk.sql import Cursor, texts
from ledger.types import StoredAnswer

_FIND = """
SELECT k.owner, k.key, k.fingerprint, k.status, k.body
  FROM unnest(%s::text[], %s::text[]) AS u (owner, key)
  JOIN ledger_idempotencykey k USING (owner, key)
"""


def find_answers(
    cursor: Cursor, names: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], tuple[str, StoredAnswer]]:
    """Fingerprint and answer of each `(owner, key)` that has one."""
    cursor.execute(_FIND, [texts(owner for owner, _ in names), texts(key for _, key in names)])
    return {
        (owner, key): (fingerprint, StoredAnswer(status, body))
        for owner, key, fingerprint, status, body in cursor.fetchall()
    }
