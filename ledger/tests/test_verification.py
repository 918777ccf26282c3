"""`verify_ledger` finds every kind of tampering and names the first row.

Rows are tampered with as the owner of the tables can: with the triggers off.
"""

import io
import json
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from ledger.models import JournalEntry, Seal
from ledger.sealing import GENESIS_HASH
from ledger.selectors import seals as reads
from ledger.tests.factories import fund, make_account
from ledger.tests.test_sealing import seal, small_seals
from ledger.verification import check_head, verify_seals

__all__ = ["small_seals"]

pytestmark = pytest.mark.django_db

TABLES = ("ledger_entrysource", "ledger_journalentry", "ledger_posting", "ledger_seal")


@pytest.fixture
def ids(small_seals: None) -> list[str]:
    """Seven entries in seals 1 (2), 2 (2), 3 (2) and 4 (1); their ids in order."""
    account = make_account()
    for amount in range(1, 8):
        fund(account, str(amount))
    seal()
    order = JournalEntry.objects.order_by("posted_at", "id")
    return [str(entry_id) for entry_id in order.values_list("id", flat=True)]


def tamper(*statements: tuple[str, list[Any]]) -> None:
    """Run SQL past the triggers that would refuse it."""
    with connection.cursor() as cursor:
        # Longer than autovacuum takes to make way for a change of the table.
        cursor.execute("SET LOCAL lock_timeout = '15s'")
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for sql, given in statements:
            cursor.execute(sql, given)
            assert cursor.rowcount > 0, sql
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def found(from_seal: int = 1) -> list[tuple[str, int, str | None]]:
    """What verification finds: kind, seal, entry."""
    return [
        (str(one.kind), one.seal, str(one.entry_id) if one.entry_id else None)
        for verified in verify_seals(from_seal=from_seal)
        for one in verified.findings
    ]


def test_an_untouched_journal_is_right(ids: list[str]) -> None:
    assert [(one.number, one.entry_count) for one in verify_seals()] == [
        (1, 2),
        (2, 2),
        (3, 2),
        (4, 1),
    ]
    assert found() == []


# --- entries and postings -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "memo = 'a gift'",
        "actor = 'nobody'",
        "kind = 'ADJUSTMENT'",
        "source_kind = 'other'",
        "source_id = gen_random_uuid()",
        "occurred_at = occurred_at + interval '1 microsecond'",
    ],
)
def test_a_changed_entry(ids: list[str], change: str) -> None:
    tamper((f"UPDATE ledger_journalentry SET {change} WHERE id = %s", [ids[3]]))

    assert found() == [("entry_changed", 2, ids[3])]


@pytest.mark.parametrize(
    "change", ["amount = amount * 2", "balance_after = 0.5", "account_version = 900", "id = -id"]
)
def test_a_changed_posting(ids: list[str], change: str) -> None:
    where = "entry_id = %s AND amount > 0"
    tamper((f"UPDATE ledger_posting SET {change} WHERE {where}", [ids[2]]))

    assert found() == [("entry_changed", 2, ids[2])]


def test_a_removed_and_an_added_posting(ids: list[str]) -> None:
    copy = """
    INSERT INTO ledger_posting
           (entry_id, ledger_account_id, asset_id, amount, balance_after, account_version)
    SELECT entry_id, ledger_account_id, asset_id, amount, balance_after, account_version + 100
      FROM ledger_posting WHERE entry_id = %s
    """
    tamper(
        ("DELETE FROM ledger_posting WHERE entry_id = %s AND amount < 0", [ids[0]]),
        (copy, [ids[6]]),
    )

    assert found() == [("entry_changed", 1, ids[0]), ("entry_changed", 4, ids[6])]


def test_a_removed_entry(ids: list[str]) -> None:
    tamper(
        ("DELETE FROM ledger_entrysource WHERE entry_id = %s", [ids[4]]),
        ("DELETE FROM ledger_posting WHERE entry_id = %s", [ids[4]]),
        ("DELETE FROM ledger_journalentry WHERE id = %s", [ids[4]]),
    )

    assert found() == [("entry_missing", 3, ids[4])]


@pytest.mark.parametrize(("after", "in_seal"), [(0, 1), (1, 2), (5, 4)])
def test_an_added_entry(ids: list[str], after: int, in_seal: int) -> None:
    """Also the one that turned up too late: it is in no seal and never will be."""
    tamper(
        (
            "INSERT INTO ledger_journalentry"
            "       (id, kind, source_kind, source_id, actor, memo, occurred_at, posted_at)"
            " SELECT 'ffffffff-ffff-7fff-bfff-ffffffffffff', kind, 'late', source_id, actor, memo,"
            "        occurred_at, posted_at FROM ledger_journalentry WHERE id = %s",
            [ids[after]],
        )
    )

    assert found() == [("entry_added", in_seal, "ffffffff-ffff-7fff-bfff-ffffffffffff")]


def test_an_entry_before_the_first_seal(ids: list[str]) -> None:
    tamper(
        (
            "INSERT INTO ledger_journalentry"
            "       (id, kind, source_kind, source_id, actor, memo, occurred_at, posted_at)"
            " SELECT gen_random_uuid(), kind, 'early', source_id, actor, memo, occurred_at,"
            "        '1999-12-31Z' FROM ledger_journalentry WHERE id = %s",
            [ids[0]],
        )
    )

    [(kind, number, entry_id)] = found()
    assert (kind, number) == ("entry_added", 1)
    assert entry_id == str(JournalEntry.objects.get(source_kind="early").id)


def test_an_entry_moved_in_time(ids: list[str]) -> None:
    later = "SELECT posted_at + interval '1 microsecond' FROM ledger_journalentry WHERE id = %s"
    tamper(
        (
            f"UPDATE ledger_journalentry SET posted_at = ({later}) WHERE id = %s",
            [ids[4], ids[0]],
        )
    )

    assert found() == [("entry_changed", 1, ids[0]), ("entry_added", 3, ids[0])]


# --- seals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "hash = repeat('a', 64)",
        "hash = 'nonsense'",
        "previous_hash = repeat('b', 64)",
        "previous_hash = 'nonsense'",
        "entry_count = 3",
        "leaves = overlay(leaves placing 'x'::bytea from 1)",
        "leaves = set_byte(leaves, 63, get_byte(leaves, 63) # 1)",
        "leaves = ''",
        "last_entry_id = 'ffffffff-ffff-7fff-bfff-ffffffffffff'",
        "last_posted_at = first_posted_at",
        "last_posted_at = '2200-01-01Z'",
        "first_posted_at = first_posted_at - interval '1 day'",
    ],
)
def test_a_changed_seal(ids: list[str], change: str) -> None:
    tamper((f"UPDATE ledger_seal SET {change} WHERE number = 2", []))

    first, *_ = found()
    assert first == ("seal_changed", 2, None)


@pytest.mark.parametrize(("number", "from_seal"), [(1, 1), (2, 1), (3, 3), (2, 3)])
def test_a_removed_seal(ids: list[str], number: int, from_seal: int) -> None:
    tamper(("DELETE FROM ledger_seal WHERE number = %s", [number]))

    assert found(from_seal) == [("seal_missing", number, None)]


def test_a_seal_that_was_made_anew_with_its_entries(ids: list[str]) -> None:
    """Seal 2 agrees with itself again; but seal 3 was made after another one."""
    tamper(
        ("UPDATE ledger_journalentry SET memo = 'a gift' WHERE id = %s", [ids[2]]),
        ("CREATE TEMPORARY TABLE kept AS SELECT * FROM ledger_seal WHERE number > 2", []),
        ("DELETE FROM ledger_seal WHERE number > 1", []),
    )
    seal()
    tamper(
        ("DELETE FROM ledger_seal WHERE number > 2", []),
        ("INSERT INTO ledger_seal SELECT * FROM kept", []),
    )

    assert found() == [("seal_changed", 2, None)]


def test_all_that_was_tampered_with_is_found_the_first_first(ids: list[str]) -> None:
    tamper(
        ("UPDATE ledger_journalentry SET memo = 'x' WHERE id = ANY(%s)", [[ids[5], ids[1]]]),
        ("UPDATE ledger_seal SET hash = repeat('c', 64) WHERE number = 4", []),
    )

    assert found() == [
        ("entry_changed", 1, ids[1]),
        ("entry_changed", 3, ids[5]),
        ("seal_changed", 4, None),
    ]
    assert found(from_seal=2)[0] == ("entry_changed", 3, ids[5])


def test_more_in_the_range_than_was_sealed_does_not_disturb_the_seals_after_it(
    ids: list[str],
) -> None:
    tamper(
        (
            "INSERT INTO ledger_journalentry"
            "       (id, kind, source_kind, source_id, actor, memo, occurred_at, posted_at)"
            " SELECT gen_random_uuid(), kind, 'late', source_id, actor, memo, occurred_at,"
            "        posted_at FROM ledger_journalentry, generate_series(1, 50) WHERE id = %s",
            [ids[2]],
        )
    )

    assert {(kind, number) for kind, number, _ in found()} <= {
        ("entry_added", 2),
        ("entry_added", 3),
    }


# --- the head, and the command --------------------------------------------------------------------


def test_a_head_that_was_kept_finds_a_chain_that_was_written_anew(ids: list[str]) -> None:
    head = reads.head_of(Seal.objects.get(number=4))
    older = reads.head_of(Seal.objects.get(number=2))
    assert check_head(head) is check_head(older) is None
    tamper(
        ("UPDATE ledger_journalentry SET memo = 'a gift' WHERE id = %s", [ids[2]]),
        ("DELETE FROM ledger_seal", []),
    )
    seal()

    assert found() == []
    for kept in (head, older):
        finding = check_head(kept)
        assert finding is not None
        assert (finding.kind, finding.seal) == ("head_differs", int(kept[0]))


def test_a_chain_that_was_cut_off_lacks_its_head(ids: list[str]) -> None:
    head = reads.head_of(Seal.objects.get(number=4))
    tamper(("DELETE FROM ledger_seal WHERE number > 2", []))

    assert found() == []
    finding = check_head(head)
    assert finding is not None
    assert finding.detail.endswith("is not there")


@pytest.mark.parametrize("nonsense", ["", "4", "x:y", "0:" + GENESIS_HASH])
def test_a_head_that_is_none(ids: list[str], nonsense: str) -> None:
    assert check_head(nonsense) is not None


def verify(*arguments: str) -> tuple[int, str]:
    """Exit code and output of the command."""
    output = io.StringIO()
    try:
        call_command("verify_ledger", *arguments, stdout=output)
    except SystemExit as end:
        return int(str(end.code)), output.getvalue()
    return 0, output.getvalue()


def test_the_command_on_an_empty_ledger() -> None:
    assert verify() == (0, "0 seals, 0 entries.\nHead: none\nEvery seal is right.\n")
    assert verify("--print-head") == (0, "\n")


def test_the_command_tells_the_head_and_compares_it(ids: list[str]) -> None:
    code, head = verify("--print-head")
    assert (code, head.strip()) == (0, reads.head_of(Seal.objects.get(number=4)))

    assert verify("--expect-head", head.strip())[0] == 0
    code, output = verify("--expect-head", f"4:{'0' * 64}")
    assert code == 1
    assert "head_differs: seal 4" in output


def test_the_command_names_the_first_row_and_ends_with_1(ids: list[str]) -> None:
    assert verify()[0] == 0
    tamper(("UPDATE ledger_posting SET amount = 9 * amount WHERE entry_id = %s", [ids[3]]))

    code, output = verify()
    assert code == 1
    assert f"entry_changed: seal 2, entry {ids[3]}" in output

    code, output = verify("--json", "--from-seal", "2")
    document = json.loads(output)
    assert (code, document["is_intact"], document["seals"], document["entries"]) == (1, False, 3, 5)
    assert document["findings"][0]["entry_id"] == ids[3]
    assert verify("--from-seal", "3")[0] == 0


def test_a_step_costs_the_same_however_many_entries(
    ids: list[str], django_assert_num_queries: Any
) -> None:
    # The seal before; a transaction, its time limit, seals, headers, postings (four chunks here);
    # a transaction, its time limit, no more seals.
    with django_assert_num_queries(1 + 5 + 4 + 4):
        list(verify_seals())
