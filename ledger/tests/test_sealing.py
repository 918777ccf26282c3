"""Seals: what is hashed, in what order, how far, and never by two at once."""

import hashlib
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction

from common.ids import new_uuid
from ledger.models import JournalEntry, Posting, Seal
from ledger.sealing import (
    GENESIS_HASH,
    SealedEntry,
    SealedPosting,
    entry_bytes,
    entry_digest,
    join_leaves,
    seal_hash,
    split_leaves,
)
from ledger.selectors import seals as reads
from ledger.services import sealing
from ledger.services.sealing import Sealed, seal_entries
from ledger.tests.factories import fund, make_account

NOW = timedelta(0)

ENTRY = SealedEntry(
    id=UUID("0198c5a0-0000-7000-8000-000000000001"),
    kind="DEPOSIT",
    source_kind="deposit",
    source_id=UUID("0198c5a0-0000-7000-8000-000000000002"),
    actor="user 7",
    memo="Müller",
    occurred_at=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    posted_at=datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC),
    postings=(
        SealedPosting(5, 1, 9, Decimal("10.50000000"), Decimal("100.00000000"), 3),
        SealedPosting(6, 2, 9, Decimal("-10.50000000"), Decimal("0E-8"), 4),
    ),
)


def seal(**options: Any) -> Sealed:
    return seal_entries(**{"lag": NOW, "seconds_max": 20.0, **options})


# --- what is hashed -------------------------------------------------------------------------------


def test_the_bytes_of_an_entry_are_these() -> None:
    assert (
        entry_bytes(ENTRY)
        == (
            "14:bourse-entry-1,36:0198c5a0-0000-7000-8000-000000000001,7:DEPOSIT,7:deposit,"
            "36:0198c5a0-0000-7000-8000-000000000002,6:user 7,7:Müller,"
            "16:1767323045678901,16:1767323046000000,1:2,"
            "1:5,1:1,1:9,4:10.5,3:100,1:3,"
            "1:6,1:2,1:9,5:-10.5,1:0,1:4,"
        ).encode()
    )
    assert entry_digest(ENTRY) == hashlib.sha256(entry_bytes(ENTRY)).digest()


@pytest.mark.parametrize(
    "change",
    [
        {"id": new_uuid()},
        {"kind": "DEPOSI", "source_kind": "Tdeposit"},
        {"source_id": new_uuid()},
        {"actor": "user 8"},
        {"memo": ""},
        {"occurred_at": ENTRY.occurred_at + timedelta(microseconds=1)},
        {"posted_at": ENTRY.posted_at - timedelta(microseconds=1)},
        {"postings": ENTRY.postings[:1]},
        {"postings": (ENTRY.postings[0]._replace(amount=Decimal("10.50000001")),)},
    ],
)
def test_every_field_of_an_entry_counts(change: dict[str, Any]) -> None:
    assert entry_digest(ENTRY._replace(**change)) != entry_digest(ENTRY)


@pytest.mark.parametrize("name", SealedPosting._fields)
def test_every_field_of_a_posting_counts(name: str) -> None:
    first, second = ENTRY.postings
    changed = first._replace(**{name: getattr(first, name) + 1})

    assert entry_digest(ENTRY._replace(postings=(changed, second))) != entry_digest(ENTRY)


def test_the_same_moment_in_another_zone_and_the_same_amount_written_longer_are_the_same() -> None:
    zone = datetime.now().astimezone(None).tzinfo
    first, second = ENTRY.postings
    longer = first._replace(amount=Decimal("10.500000000000"))

    same = ENTRY._replace(posted_at=ENTRY.posted_at.astimezone(zone), postings=(longer, second))

    assert entry_bytes(same) == entry_bytes(ENTRY)


def test_a_seal_hashes_the_seal_before_its_number_and_the_digests() -> None:
    digests = [b"a" * 32, b"b" * 32]
    expected = hashlib.sha256(bytes(32) + bytes([0] * 7 + [1]) + b"a" * 32 + b"b" * 32)

    assert seal_hash(GENESIS_HASH, 1, digests) == expected.hexdigest()
    assert seal_hash(GENESIS_HASH, 2, digests) != expected.hexdigest()
    assert seal_hash("1" * 64, 1, digests) != expected.hexdigest()
    assert seal_hash(GENESIS_HASH, 1, reversed(digests)) != expected.hexdigest()


def test_leaves_are_joined_and_split() -> None:
    ids = [new_uuid(), new_uuid()]
    leaves = join_leaves(ids, [b"a" * 32, b"b" * 32])

    assert len(leaves) == 64
    assert list(split_leaves(leaves)) == [(ids[0], b"a" * 16), (ids[1], b"b" * 16)]
    assert len(list(split_leaves(leaves[:-1]))) == 1


# --- the chain ------------------------------------------------------------------------------------


@pytest.fixture
def account(db: None) -> Any:
    return make_account()


@pytest.fixture
def small_seals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seals of two entries, batches of two seals."""
    monkeypatch.setattr(reads, "_CHUNK", 2)
    monkeypatch.setattr(sealing, "_BATCH_ENTRIES", 4)


def test_nothing_to_seal(db: None) -> None:
    assert seal() == Sealed(0, 0, "")


def test_seals_follow_each_other_and_take_every_entry_once(account: Any, small_seals: None) -> None:
    for amount in range(1, 8):
        fund(account, str(amount))

    sealed = seal()

    seals = list(Seal.objects.order_by("number"))
    entries = list(JournalEntry.objects.order_by("posted_at", "id"))
    assert sealed == Sealed(4, 7, f"4:{seals[-1].hash}")
    assert [one.number for one in seals] == [1, 2, 3, 4]
    assert [one.entry_count for one in seals] == [2, 2, 2, 1]
    assert [one.previous_hash for one in seals] == [GENESIS_HASH, *[s.hash for s in seals[:-1]]]
    leaves = [leaf.entry_id for one in seals for leaf in split_leaves(bytes(one.leaves))]
    assert leaves == [entry.id for entry in entries]
    assert (seals[1].first_posted_at, seals[1].last_posted_at, seals[1].last_entry_id) == (
        entries[2].posted_at,
        entries[3].posted_at,
        entries[3].id,
    )


def test_the_hash_is_that_of_the_rows(account: Any) -> None:
    fund(account, "10.25")
    seal()

    entry, one = JournalEntry.objects.get(), Seal.objects.get()
    rows = Posting.objects.order_by("id").values_list(*SealedPosting._fields)
    postings = tuple(SealedPosting(*row) for row in rows)
    facts = [getattr(entry, name) for name in SealedEntry._fields[:-1]]

    digest = entry_digest(SealedEntry._make((*facts, postings)))
    assert one.hash == seal_hash(GENESIS_HASH, 1, [digest])
    assert len(postings) == 2


def test_later_runs_go_on_where_the_last_one_ended(account: Any) -> None:
    fund(account, "1")
    first = seal()
    assert seal() == Sealed(0, 0, first.head)
    fund(account, "2")

    assert seal().entry_count == 1
    assert Seal.objects.get(number=2).previous_hash == Seal.objects.get(number=1).hash


def test_entries_far_apart_in_time_are_found(account: Any) -> None:
    fund(account, "1")
    fund(account, "2")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE ledger_journalentry DISABLE TRIGGER USER")
        cursor.execute(
            "UPDATE ledger_journalentry SET posted_at = posted_at - interval '900 days' "
            "WHERE id = %s",
            [JournalEntry.objects.order_by("id")[0].id],
        )
        cursor.execute("ALTER TABLE ledger_journalentry ENABLE TRIGGER USER")

    assert seal().entry_count == 2


def test_what_is_younger_than_the_lag_waits(account: Any) -> None:
    fund(account, "1")

    assert seal(lag=timedelta(seconds=60)).entry_count == 0
    assert seal(lag=NOW).entry_count == 1


def test_a_run_ends_after_its_time(account: Any, small_seals: None) -> None:
    for _ in range(6):
        fund(account, "1")

    assert seal(seconds_max=0.0) == Sealed(2, 4, reads.head_of(Seal.objects.get(number=2)))
    assert seal(seconds_max=0.0).entry_count == 2


# --- with others at work --------------------------------------------------------------------------


def in_thread(work: Callable[[], None]) -> threading.Thread:
    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.django_db(transaction=True)
def test_no_entry_is_passed_that_is_posted_and_not_committed_yet(account: Any) -> None:
    fund(account, "1")
    is_posted, may_commit = threading.Event(), threading.Event()

    def post_slowly() -> None:
        with transaction.atomic():
            fund(account, "2")
            is_posted.set()
            may_commit.wait(10)

    other = make_account()
    writer = in_thread(post_slowly)
    is_posted.wait(10)
    fund(other, "3", "EUR")

    assert seal().entry_count == 1
    may_commit.set()
    writer.join()
    assert seal().entry_count == 2
    assert Seal.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_two_sealers_make_one_chain(account: Any, small_seals: None) -> None:
    for _ in range(24):
        fund(account, "1")
    barrier = threading.Barrier(3)

    def seal_some() -> None:
        barrier.wait()
        for _ in range(4):
            seal()
            time.sleep(0.01)

    for thread in [in_thread(seal_some) for _ in range(3)]:
        thread.join()
    seal()

    seals = list(Seal.objects.order_by("number"))
    assert [one.number for one in seals] == list(range(1, len(seals) + 1))
    assert sum(one.entry_count for one in seals) == 24
    assert [one.previous_hash for one in seals[1:]] == [one.hash for one in seals[:-1]]


@pytest.mark.django_db(transaction=True)
def test_while_another_seals_nothing_is_done(account: Any) -> None:
    fund(account, "1")
    is_locked, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            assert sealing.locks.try_lock_sealing(cursor)
            is_locked.set()
            may_end.wait(10)

    holder = in_thread(hold)
    is_locked.wait(10)
    assert seal().seal_count == 0
    may_end.set()
    holder.join()
    assert seal().seal_count == 1


@pytest.mark.django_db
def test_entries_are_found_by_the_index_of_blocks() -> None:
    with connection.cursor() as cursor:
        # Autovacuum may be at work on what other tests have left.
        cursor.execute("SET LOCAL lock_timeout = '60s'")
        cursor.execute(
            """
            INSERT INTO ledger_journalentry
                   (id, kind, source_kind, source_id, actor, memo, occurred_at, posted_at)
            SELECT gen_random_uuid(), 'TRADE', 'trade', gen_random_uuid(), 'engine 0', '', at, at
              FROM generate_series(now() - interval '1 day', now(), interval '2 seconds') AS at
            """
        )
        cursor.execute("ANALYZE ledger_journalentry")
        cursor.execute("SELECT brin_summarize_new_values('entry_by_time')")
        until = reads.Position(datetime.now(UTC) - timedelta(hours=3), UUID(int=0))
        given: dict[str, Any] = {
            "after_at": until.posted_at - timedelta(seconds=10),
            "after_id": until.entry_id,
            "until_at": until.posted_at,
            "until_id": until.entry_id,
            "limit": 10_000,
        }
        cursor.execute(f"EXPLAIN {reads._HEADERS}", given)
        plan = "\n".join(row[0] for row in cursor.fetchall())

    assert "entry_by_time" in plan
