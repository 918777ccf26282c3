"""Answers that were kept for an Idempotency-Key."""

from collections.abc import Iterable, Sequence
from typing import Any

from ledger.bulk.sql import Statement, texts
from ledger.types import StoredAnswer

_FIND = """
SELECT k.owner, k.key, k.fingerprint, k.status, k.body
  FROM unnest(%s::text[], %s::text[]) AS u (owner, key)
  JOIN ledger_idempotencykey k USING (owner, key)
"""


def answers_statement(names: Sequence[tuple[str, str]]) -> Statement:
    """The statement that finds the answers of keys `(owner, key)`, for `read_answers`."""
    return _FIND, [texts(owner for owner, _ in names), texts(key for _, key in names)]


def read_answers(rows: Iterable[Any]) -> dict[tuple[str, str], tuple[str, StoredAnswer]]:
    """Fingerprint and answer of each `(owner, key)` that has one."""
    return {
        (owner, key): (fingerprint, StoredAnswer(status, body))
        for owner, key, fingerprint, status, body in rows
    }
