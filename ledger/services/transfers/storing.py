"""Rows of transfers, written in one statement whatever their number."""

from collections.abc import Iterable, Sequence
from typing import Any

from common.money import plain
from common.postgres_arrays import integers, texts, words
from ledger.bulk.sql import Statement
from ledger.types import TransferState

_INSERT = """
INSERT INTO ledger_transfer
       (id, source_id, destination_id, asset_id, amount, posted_amount, status, reason,
        is_two_step, expires_at, linked_id, memo, actor, created_at, finished_at)
SELECT * FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::bigint[], %s::numeric[],
       %s::numeric[], %s::text[], %s::text[], %s::boolean[], %s::timestamptz[], %s::uuid[],
       %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[])
"""


def insert_statement(transfers: Sequence[tuple[TransferState, int]]) -> Statement:
    """The statement that inserts transfers, each with the id of its asset."""
    states = [state for state, _ in transfers]
    return _INSERT, [
        words(state.id.hex for state in states),
        integers(state.source_id for state in states),
        integers(state.destination_id for state in states),
        integers(asset_id for _, asset_id in transfers),
        words(plain(state.amount) for state in states),
        _optional(None if s.posted_amount is None else plain(s.posted_amount) for s in states),
        words(state.status for state in states),
        texts(state.reason for state in states),
        words(str(state.is_two_step) for state in states),
        _optional(s.expires_at and s.expires_at.isoformat() for s in states),
        _optional(state.linked_id and state.linked_id.hex for state in states),
        texts(state.memo for state in states),
        texts(state.actor for state in states),
        words(state.created_at.isoformat() for state in states),
        _optional(s.finished_at and s.finished_at.isoformat() for s in states),
    ]


def _optional(values: Iterable[Any]) -> str:
    return words("NULL" if value is None else value for value in values)
