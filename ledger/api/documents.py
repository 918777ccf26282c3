"""Balances and booked lines as documents of `/api/v1/`, and as CSV."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from common.api.renderers import encode_json, format_instant
from common.csv_files import as_text, csv_lines
from common.money import plain
from ledger.selectors import iterate_lines
from ledger.types import Balance, PostedLine, StatementSection

CSV_COLUMNS = (
    "asset",
    "kind",
    "version",
    "posted_at",
    "occurred_at",
    "entry_id",
    "entry_kind",
    "source_kind",
    "source_id",
    "memo",
    "amount",
    "balance_after",
)


def balance_document(balance: Balance) -> dict[str, Any]:
    """One ledger account of a client; `overdraft_limit` null is without limit."""
    return {
        "asset": balance.asset,
        "kind": balance.kind,
        "posted_balance": balance.posted_balance,
        "held_amount": balance.held_amount,
        "available_balance": balance.available_balance,
        "overdraft_limit": balance.overdraft_limit,
        "version": balance.version,
    }


def line_document(line: PostedLine) -> dict[str, Any]:
    """One booked line; lines of an asset and kind are in the order of `version`."""
    return {
        "id": line.id,
        "asset": line.asset,
        "kind": line.account_kind,
        "amount": line.amount,
        "balance_after": line.balance_after,
        "version": line.account_version,
        "entry_id": line.entry_id,
        "entry_kind": line.entry_kind,
        "source_kind": line.source_kind,
        "source_id": line.source_id,
        "memo": line.memo,
        "occurred_at": line.occurred_at,
        "posted_at": line.posted_at,
    }


def stream_json(
    owner: dict[str, int], sections: list[StatementSection], since: datetime, until: datetime
) -> Iterator[bytes]:
    """A statement as one JSON object, line by line: no more than a chunk is ever in memory.

    `owner` are the members that say whose it is.
    """
    head = {**owner, "since": since, "until": until}
    yield encode_json(head)[:-1] + b',"accounts":['
    for number, section in enumerate(sections):
        opening = {
            "asset": section.asset,
            "kind": section.account_kind,
            "opening_balance": section.opening_balance,
        }
        yield (b"," if number else b"") + encode_json(opening)[:-1] + b',"lines":['
        closing, separator = section.opening_balance, b""
        for line in iterate_lines(section, until=until):
            yield separator + encode_json(line_document(line))
            closing, separator = line.balance_after, b","
        yield b'],"closing_balance":' + encode_json(closing) + b"}"
    yield b"]}"


def stream_csv(sections: list[StatementSection], until: datetime) -> Iterator[str]:
    """A statement as CSV (RFC 4180): a header, then one row for each booked line."""
    yield from csv_lines(_csv_rows(sections, until))


def _csv_rows(sections: list[StatementSection], until: datetime) -> Iterator[Sequence[str]]:
    yield CSV_COLUMNS
    for section in sections:
        for line in iterate_lines(section, until=until):
            yield _csv_row(line)


def _csv_row(line: PostedLine) -> list[str]:
    return [
        line.asset,
        line.account_kind,
        str(line.account_version),
        format_instant(line.posted_at),
        format_instant(line.occurred_at),
        str(line.entry_id),
        line.entry_kind,
        line.source_kind,
        str(line.source_id),
        as_text(line.memo),
        plain(line.amount),
        plain(line.balance_after),
    ]
