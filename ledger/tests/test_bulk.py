"""The batch in memory and its three statements: what is in the batch is what is in the tables."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from brokers.models import Funding
from common.ids import new_uuid
from ledger import bulk
from ledger.batch import LedgerBatch, LedgerRow
from ledger.models import JournalEntry, LedgerAccount, Posting
from ledger.tests.factories import make_account
from marketdata.tests.factories import make_asset

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def row(id: int, asset_id: int = 1, **fields: Any) -> LedgerRow:
    values: dict[str, Any] = {"posted": 0, "held": 0, "limit": None, "version": 0}
    return LedgerRow(id, asset_id, **(values | fields))


def test_a_row_spends_what_is_available_down_to_its_limit() -> None:
    prefunded = row(1, posted=100, held=30, limit=0)
    credit = row(2, posted=100, held=30, limit=50)

    assert prefunded.available == 70
    assert (prefunded.can_spend(70), prefunded.can_spend(71)) == (True, False)
    assert (credit.can_spend(120), credit.can_spend(121)) == (True, False)
    assert row(3).can_spend(10**30)


def test_lines_of_one_account_are_netted_and_zero_is_dropped() -> None:
    buyer, seller, fees = row(1, posted=1000, version=7), row(2), row(3)
    batch = LedgerBatch([buyer, seller, fees])
    entry_id = new_uuid().bytes

    batch.post(
        entry_id,
        "TRADE",
        "trade",
        entry_id,
        [(buyer, -100), (seller, 100), (buyer, -2), (fees, 2), (seller, 5), (seller, -5)],
    )

    assert batch.postings == [
        (entry_id, 1, 1, -102, 898, 8),
        (entry_id, 2, 1, 100, 100, 1),
        (entry_id, 3, 1, 2, 2, 1),
    ]
    assert (buyer.posted, buyer.version) == (898, 8)
    assert batch.dirty_rows() == [buyer, seller, fees]
    assert (batch.entry_count, batch.posting_count) == (1, 3)
    assert batch.row(2) is seller


def test_an_entry_with_oneself_keeps_its_header_alone() -> None:
    alone = row(1, posted=50)
    batch = LedgerBatch([alone])
    entry_id = new_uuid().bytes

    batch.post(entry_id, "TRADE", "trade", entry_id, [(alone, -20), (alone, 20)])

    assert (batch.entry_count, batch.posting_count, batch.dirty_rows()) == (1, 0, [])


def test_an_unbalanced_entry_changes_nothing() -> None:
    usd, share = row(1, asset_id=1), row(2, asset_id=2)
    batch = LedgerBatch([usd, share])
    entry_id = new_uuid().bytes

    with pytest.raises(AssertionError):
        batch.post(entry_id, "TRADE", "trade", entry_id, [(usd, 5), (share, -5)])

    assert (batch.entry_count, usd.posted, usd.is_dirty) == (0, 0, False)


def test_holds_change_what_is_available_and_never_fall_below_zero() -> None:
    account = row(1, posted=10)
    batch = LedgerBatch([account])

    batch.set_hold(account, 7)
    batch.set_hold(account, -3)

    assert (account.held, account.available, batch.dirty_rows()) == (4, 6, [account])
    with pytest.raises(AssertionError):
        batch.set_hold(account, -5)


transfers = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(-(10**20), 10**20)), max_size=12
)


@given(st.lists(transfers, max_size=6))
def test_whatever_is_posted_sums_to_zero_and_explains_the_balances(
    entries: list[list[tuple[int, int, int]]],
) -> None:
    rows = [row(id, asset_id=id % 2) for id in range(6)]
    batch = LedgerBatch(rows)
    for transfer in entries:
        lines = []
        for source, target, amount in transfer:
            if source % 2 == target % 2:
                lines += [(rows[source], -amount), (rows[target], amount)]
        entry_id = new_uuid().bytes
        batch.post(entry_id, "TRANSFER", "test", entry_id, lines)

    totals: dict[tuple[bytes, int], int] = defaultdict(int)
    balances: dict[int, int] = defaultdict(int)
    versions: dict[int, int] = defaultdict(int)
    for entry_id, account_id, asset_id, amount, balance_after, version in batch.postings:
        assert amount != 0
        totals[entry_id, asset_id] += amount
        balances[account_id] += amount
        versions[account_id] += 1
        assert (balance_after, version) == (balances[account_id], versions[account_id])
    assert set(totals.values()) <= {0}
    assert {r.id: r.posted for r in rows} == {r.id: balances[r.id] for r in rows}
    assert {r.id: r.version for r in rows} == {r.id: versions[r.id] for r in rows}
    assert len({(line[0], line[1]) for line in batch.postings}) == len(batch.postings)


@pytest.mark.django_db
def test_accounts_are_made_once_and_with_the_limit_of_their_funding() -> None:
    usd, eur, share = (make_asset(code).id for code in ("USD", "EUR", "ACME"))
    prefunded = make_account(Funding.PREFUNDED)
    limited = make_account(Funding.CREDIT, Decimal("12.5"))
    unlimited = make_account(Funding.CREDIT)
    accounts = (prefunded, limited, unlimited)
    kinds = [(usd, "CASH"), (eur, "CASH"), (share, "SECURITY"), (usd, "MARGIN")]
    keys = [(account.id, asset_id, kind) for account in accounts for asset_id, kind in kinds]

    with connection.cursor() as cursor:
        made = bulk.ensure_client_accounts(cursor, keys[:5])
        found = bulk.ensure_client_accounts(cursor, [*keys, (10**9, usd, "CASH")])

    assert found.keys() == set(keys)
    assert made.items() <= found.items()
    limits = dict(LedgerAccount.objects.values_list("id", "overdraft_limit"))
    assert [limits[found[key]] for key in keys] == [
        *(Decimal(0), Decimal(0), Decimal(0), None),
        *(Decimal("12.5"), Decimal(0), None, None),
        *(None, None, None, None),
    ]
    # What was there before uses no id up.
    assert sorted(found.values())[-1] - sorted(found.values())[0] == len(keys) - 1


@pytest.mark.django_db
def test_accounts_of_the_venue_are_one_for_each_shard() -> None:
    usd = make_asset("USD").id

    with connection.cursor() as cursor:
        made = bulk.ensure_venue_accounts(cursor, [("FEES", usd, 0), ("FEES", usd, -1)])
        found = bulk.ensure_venue_accounts(cursor, [("FEES", usd, 0), ("TRANSIT", usd, -1)])
        assert bulk.ensure_venue_accounts(cursor, []) == {}

    assert found["FEES", usd, 0] == made["FEES", usd, 0]
    assert LedgerAccount.objects.count() == 3
    assert not LedgerAccount.objects.filter(overdraft_limit__isnull=False).exists()


@pytest.fixture
def plain_connection(transactional_db: None) -> Iterator[psycopg.Connection[Any]]:
    """A connection as the engine has it: psycopg's own."""
    given = connection.get_connection_params()
    names = ("host", "port", "dbname", "user", "password")
    own = {name: given[name] for name in names if given.get(name)}
    with psycopg.connect(**own, autocommit=True) as plain:
        yield plain


@pytest.mark.parametrize(("is_flushed", "during"), [(True, "on"), (False, "off")])
def test_making_accounts_waits_for_the_disk_unless_it_is_told_not_to(
    plain_connection: psycopg.Connection[Any], is_flushed: bool, during: str
) -> None:
    keys = [(make_account().id, make_asset("USD").id, "CASH")]

    def setting() -> Any:
        row = plain_connection.execute("SHOW synchronous_commit").fetchone()
        return row and row[0]

    assert setting() == "on"
    with plain_connection.transaction():
        cursor = plain_connection.cursor()
        bulk.ensure_client_accounts(cursor, keys, is_flushed=is_flushed)
        assert setting() == during
    assert setting() == "on"
    assert bulk.ensure_client_accounts(plain_connection.cursor(), keys, is_flushed=is_flushed)
    assert setting() == "on"
    assert LedgerAccount.objects.count() == 1


def test_accounts_that_another_session_makes_at_the_same_time_are_found(
    plain_connection: psycopg.Connection[Any],
) -> None:
    usd = make_asset("USD").id
    keys = [(make_account().id, usd, "CASH") for _ in range(3)]
    found: list[dict[Any, int]] = []

    def make_too() -> None:
        found.append(bulk.ensure_client_accounts(plain_connection.cursor(), keys))

    other = threading.Thread(target=make_too)
    with transaction.atomic(), connection.cursor() as cursor:
        made = bulk.ensure_client_accounts(cursor, keys[1:])
        other.start()
        other.join(0.3)
        assert other.is_alive()
    other.join()
    assert found[0].keys() == set(keys)
    assert made.items() <= found[0].items()


def test_a_batch_in_a_pipeline_is_what_the_tables_hold(
    plain_connection: psycopg.Connection[Any],
) -> None:
    usd = make_asset("USD").id
    buyer, seller = make_account(Funding.CREDIT), make_account(Funding.CREDIT)
    keys = [(buyer.id, usd, "CASH"), (seller.id, usd, "CASH")]
    ids = bulk.ensure_client_accounts(plain_connection.cursor(), keys)
    entry_ids = [new_uuid() for _ in range(3)]
    largest = 10**37  # in units8: NUMERIC(38, 8) holds it to the last unit

    with plain_connection.transaction():
        rows = bulk.lock_rows(plain_connection.cursor(), ids.values())
        assert [r.id for r in rows] == sorted(ids.values())
        batch = LedgerBatch(rows)
        paying, paid = batch.row(ids[keys[0]]), batch.row(ids[keys[1]])
        for entry_id, amount in zip(entry_ids, (1, largest, -largest), strict=True):
            lines = [(paying, -amount), (paid, amount)]
            batch.post(entry_id.bytes, "TRADE", "trade", entry_id.bytes, lines)
        batch.set_hold(paid, 5)
        with plain_connection.pipeline():
            written = bulk.write(plain_connection, batch, actor="engine 0", occurred_at=NOW)
        written.check()

    assert list(Posting.objects.order_by("id").values_list("entry_id", "amount")) == [
        (entry_ids[0], Decimal("-0.00000001")),
        (entry_ids[0], Decimal("0.00000001")),
        (entry_ids[1], Decimal("-100000000000000000000000000000")),
        (entry_ids[1], Decimal("100000000000000000000000000000")),
        (entry_ids[2], Decimal("100000000000000000000000000000")),
        (entry_ids[2], Decimal("-100000000000000000000000000000")),
    ]
    assert set(JournalEntry.objects.values_list("actor", "memo", "occurred_at")) == {
        ("engine 0", "", NOW)
    }
    again = bulk.lock_rows(plain_connection.cursor(), ids.values())
    assert [(r.posted, r.held, r.limit, r.version) for r in again] == [
        (-1, 0, None, 3),
        (1, 5, None, 3),
    ]
    assert again[0].is_dirty is False


def test_a_row_that_vanished_is_noticed(plain_connection: psycopg.Connection[Any]) -> None:
    ghost = row(10**12, posted=5)
    ghost.is_dirty = True

    written = bulk.write(plain_connection, LedgerBatch([ghost]), actor="test", occurred_at=NOW)

    with pytest.raises(AssertionError, match="0 of 1 balances"):
        written.check()


@pytest.mark.django_db
def test_the_database_refuses_an_overdraft_that_the_code_did_not_check() -> None:
    usd = make_asset("USD").id
    account = make_account(Funding.PREFUNDED)
    with connection.cursor() as cursor:
        [id] = bulk.ensure_client_accounts(cursor, [(account.id, usd, "CASH")]).values()
        [transit] = bulk.ensure_venue_accounts(cursor, [("TRANSIT", usd, -1)]).values()
        rows = {r.id: r for r in bulk.lock_rows(cursor, [id, transit])}
        batch = LedgerBatch(rows.values())
        entry_id = new_uuid().bytes
        batch.post(entry_id, "WITHDRAWAL", "test", entry_id, [(rows[id], -1), (rows[transit], 1)])

        with (
            pytest.raises(IntegrityError, match="ledger_account_within_limit"),
            transaction.atomic(),
        ):
            bulk.write(cursor, batch, actor="test", occurred_at=NOW)

    assert LedgerAccount.objects.get(id=id).posted_balance == 0
    assert not JournalEntry.objects.exists()
