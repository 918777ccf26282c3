"""What is hashed of the audit trail. Pure.

Anybody who has the rows can recompute a seal: the bytes of a record are the netstrings (the number
of bytes in decimal, `:`, the bytes, `,`) of `bourse-audit-1`, id, at (whole microseconds since
1970-01-01T00:00:00Z), actor, address_token (empty: none), request_id, action, target, target_id,
before and after (JSON, keys sorted, without spaces, not escaped to ASCII) and reason. Its digest is
their SHA-256; seals chain the digests as `common.chain` says, in the order of (at, id).
"""

import hashlib
import json
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from common.chain import netstring
from common.instants import to_microseconds

RECORDS_MAX = 1_000
_FORMAT = "bourse-audit-1"


class SealedRecord(NamedTuple):
    """What is hashed of a record."""

    id: int
    at: datetime
    actor: str
    address_token: UUID | None
    request_id: str
    action: str
    target: str
    target_id: str
    before: Any
    after: Any
    reason: str


def record_digest(record: SealedRecord) -> bytes:
    """The SHA-256 of a record."""
    fields = [
        _FORMAT,
        str(record.id),
        str(to_microseconds(record.at)),
        record.actor,
        str(record.address_token or ""),
        record.request_id,
        record.action,
        record.target,
        record.target_id,
        _json(record.before),
        _json(record.after),
        record.reason,
    ]
    return hashlib.sha256(b"".join(map(netstring, fields))).digest()


def _json(values: Any) -> str:
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
