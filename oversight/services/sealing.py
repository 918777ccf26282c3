"""Seals of the audit trail: made in the background, and recomputed to find what was changed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Q

from common.chain import GENESIS_HASH, seal_hash
from common.database import get_commit_horizon, retry_on_conflict
from oversight.models import AuditRecord, AuditSeal
from oversight.sealing import RECORDS_MAX, SealedRecord, record_digest

# An advisory lock: one sealer at a time.
_SEALING_LOCK = 0x61756474


@dataclass(frozen=True, slots=True)
class VerifiedAuditSeal:
    """A seal that was recomputed; `finding` is empty where its records are as they were sealed."""

    number: int
    finding: str


@retry_on_conflict
@transaction.atomic
def seal_records(*, lag: timedelta) -> int:
    """Seal the records that are older than `lag`; returns how many. Once more for more.

    A record is left out as long as one that comes before it could still be committed.
    """
    _now, horizon = get_commit_horizon(lag)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_SEALING_LOCK])
    last = AuditSeal.objects.order_by("number").last()
    records = _records(last, Q(at__lt=horizon), limit=RECORDS_MAX)
    if records:
        _seal_after(last, records).save(force_insert=True)
    return len(records)


def get_audit_head() -> str:
    """The newest seal as `number:hash`, to be kept elsewhere; empty for none."""
    last = AuditSeal.objects.order_by("number").last()
    return f"{last.number}:{last.hash}" if last else ""


def verify_audit_seals(*, from_seal: int = 1) -> Iterator[VerifiedAuditSeal]:
    """Recompute the seals from this number on; the seal before it is trusted."""
    previous = AuditSeal.objects.filter(number=from_seal - 1).first()
    for seal in AuditSeal.objects.filter(number__gte=from_seal).order_by("number").iterator():
        yield VerifiedAuditSeal(seal.number, _finding(previous, seal))
        previous = seal


def _finding(previous: AuditSeal | None, seal: AuditSeal) -> str:
    """What is wrong with a seal; empty for nothing."""
    expected = previous.number + 1 if previous else 1
    if seal.number != expected:
        return f"the seals {expected} to {seal.number - 1} are missing"
    until = _until(seal.last_at, seal.last_record_id)
    # One more than a seal holds shows that there are too many.
    records = _records(previous, until, limit=RECORDS_MAX + 1)
    if _agrees(previous, seal, records):
        return ""
    return (
        f"its {seal.record_count} records up to {seal.last_record_id} were changed, added to or "
        f"deleted: there are {len(records)}"
    )


def _agrees(previous: AuditSeal | None, seal: AuditSeal, records: Sequence[SealedRecord]) -> bool:
    if not records:
        return False
    again = _seal_after(previous, records)
    return (again.hash, again.record_count, again.previous_hash) == (
        seal.hash,
        seal.record_count,
        seal.previous_hash,
    )


def _seal_after(previous: AuditSeal | None, records: Sequence[SealedRecord]) -> AuditSeal:
    number = previous.number + 1 if previous else 1
    previous_hash = previous.hash if previous else GENESIS_HASH
    return AuditSeal(
        number=number,
        record_count=len(records),
        last_at=records[-1].at,
        last_record_id=records[-1].id,
        previous_hash=previous_hash,
        hash=seal_hash(previous_hash, number, [record_digest(one) for one in records]),
    )


def _records(after: AuditSeal | None, condition: Q, *, limit: int) -> list[SealedRecord]:
    """The records after a seal, in the order of the chain."""
    rows = AuditRecord.objects.filter(condition).order_by("at", "id")
    if after is not None:
        rows = rows.exclude(_until(after.last_at, after.last_record_id))
        rows = rows.filter(at__gte=after.last_at)
    return [SealedRecord._make(row) for row in rows.values_list(*SealedRecord._fields)[:limit]]


def _until(at: datetime, record_id: int) -> Q:
    return Q(at__lt=at) | Q(at=at, id__lte=record_id)
