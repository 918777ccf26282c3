"""`check_ledger` passes on what the engine did and finds every kind of corruption.

The corruptions are made with SQL and with the triggers off, since the database refuses them.
"""

import io
import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.db import ProgrammingError, connection, transaction
from django.utils import timezone

from brokers.models import Funding
from common.ids import new_uuid
from common.reconciliation import Check, one_moment, run_checks
from exchange_project import reconciliation, tasks
from exchange_project.celery import app
from exchange_project.reconciliation import CHECKS
from ledger.models import Alert, LedgerCheck
from ledger.services import deposit
from ledger.services.checks import purge_checks
from orders.tests.engine.harness import BUY, SELL, Harness, make_account, make_venue

TABLES = (
    "ledger_posting",
    "ledger_journalentry",
    "ledger_ledgeraccount",
    "orders_order",
    "orders_trade",
    "orders_brokernet",
)


@pytest.fixture
def traded(transactional_db: None) -> Iterator[None]:
    """A venue with fees where makers, takers and somebody with himself have traded; orders rest."""
    venue = make_venue(maker_fee_rate=Decimal("0.001"), taker_fee_rate=Decimal("0.002"))
    buyer = make_account(Funding.PREFUNDED, name="Buyer")
    seller = make_account(Funding.CREDIT, name="Seller")
    for asset, amount in (("USD", 10_000), ("ACME", 50)):
        deposit(
            account_id=buyer.id,
            asset=asset,
            amount=Decimal(amount),
            source_id=new_uuid(),
            actor="test",
        )
    harness = Harness(venue.instrument)
    harness.place(seller, SELL, 5, 1_000)
    harness.place(buyer, BUY, 8, 1_010)
    harness.place(seller, SELL, 2, 1_005)
    harness.place(buyer, SELL, 3, 1_200)
    harness.place(seller, BUY, 4, 1_020)
    harness.place(seller, SELL, 4, 900)
    harness.stop()
    yield


def check(*arguments: str) -> tuple[int, str]:
    """Exit code and output of the command."""
    output = io.StringIO()
    try:
        call_command("check_ledger", *arguments, stdout=output)
    except SystemExit as end:
        return int(str(end.code)), output.getvalue()
    return 0, output.getvalue()


def corrupt(sql: str) -> None:
    """Run SQL past the triggers that would refuse it."""
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(sql)
        assert cursor.rowcount > 0, sql
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def differences_after(sql: str) -> dict[str, int]:
    """How many differences each check finds after a corruption, which is then undone."""
    with transaction.atomic():
        corrupt(sql)
        results = run_checks(CHECKS, shown_max=3)
        counts = {one.name: one.difference_count for one in results if one.difference_count}
        transaction.set_rollback(True)
    return counts


@pytest.mark.django_db(transaction=True)
def test_an_empty_venue_is_clean() -> None:
    code, output = check()

    assert code == 0
    assert output.rstrip().endswith("Everything agrees.")


def test_what_the_engine_did_is_clean(traded: None) -> None:
    code, output = check("--json")

    report = json.loads(output)
    rows = {one["name"]: one["rows"] for one in report["checks"]}
    assert (code, report["is_clean"]) == (0, True)
    assert (rows["fills"], rows["holds"], rows["trade postings"]) == (6, 2, 3)
    assert rows["broker nets"] == 2
    assert set(rows) == {
        "balances",
        "chains",
        "assets",
        "entries",
        "holds",
        "fills",
        "trade entries",
        "trade postings",
        "broker nets",
        "positions",
        "clearing",
        "liquidation entries",
        "liquidation steps",
        "fundings",
        "funding entries",
        "funding in transit",
        "position quantities",
        "open sums",
    }


# The buyer's cash is the one prefunded account in dollars.
_CASH = """(SELECT a.id FROM ledger_ledgeraccount a JOIN marketdata_asset s ON s.id = a.asset_id
             WHERE a.overdraft_limit = 0 AND s.code = 'USD')"""
_ACCOUNT = f"UPDATE ledger_ledgeraccount SET {{}} WHERE id = {_CASH}"
_LINE = (
    f"UPDATE ledger_posting SET {{}} WHERE ledger_account_id = {_CASH} AND account_version = {{}}"
)
_TRADE = "UPDATE orders_trade SET {} WHERE quantity = 2"

CORRUPTIONS: dict[str, dict[str, int]] = {
    _ACCOUNT.format("posted_balance = posted_balance + 1"): {"balances": 1, "assets": 1},
    _ACCOUNT.format("version = version + 1"): {"balances": 1},
    _LINE.format("balance_after = balance_after + 0.0001", 2): {"chains": 1},
    _LINE.format("account_version = account_version + 7", 3): {"chains": 1},
    f"DELETE FROM ledger_posting WHERE ledger_account_id = {_CASH} AND account_version = 1": {
        "balances": 1,
        "chains": 2,
        "assets": 1,
        "entries": 1,
    },
    _ACCOUNT.format("held_amount = held_amount + 1"): {"holds": 1},
    "UPDATE ledger_ledgeraccount SET held_amount = 0 WHERE held_amount > 0": {"holds": 2},
    "UPDATE orders_order SET hold_amount = hold_amount + 0.0001 WHERE hold_amount > 0": {
        "holds": 2
    },
    "UPDATE orders_order SET filled_quantity = 6 WHERE filled_quantity = 7": {"fills": 1},
    "UPDATE orders_order SET taker_fee = taker_fee + 0.0001 WHERE taker_fee > 0": {"fills": 3},
    "UPDATE orders_order SET maker_notional = maker_notional + 1 WHERE maker_fee > 0": {"fills": 3},
    _TRADE.format("quantity = 3"): {"fills": 2, "trade postings": 2},
    _TRADE.format("buy_fee = buy_fee + 0.0001"): {"fills": 1, "trade postings": 2},
    _TRADE.format("notional = notional + 1"): {
        "fills": 2,
        "trade postings": 2,
        "broker nets": 2,
    },
    _TRADE.format("buy_account_id = sell_account_id"): {"trade postings": 4, "broker nets": 2},
    "DELETE FROM orders_trade WHERE quantity = 2": {
        "fills": 2,
        "trade entries": 1,
        "broker nets": 2,
    },
    "UPDATE ledger_journalentry SET kind = 'ADJUSTMENT' WHERE kind = 'TRADE'": {"trade entries": 3},
    "UPDATE orders_brokernet SET net_amount = net_amount + 1": {"broker nets": 2},
    "DELETE FROM orders_brokernet": {"broker nets": 2},
}


def test_each_corruption_is_found_where_it_is(traded: None) -> None:
    found = {sql: differences_after(sql) for sql in CORRUPTIONS}

    assert found == CORRUPTIONS
    assert check()[0] == 0


def test_the_table_shows_as_much_as_is_asked_for(traded: None) -> None:
    corrupt("UPDATE orders_brokernet SET net_amount = net_amount + 1")

    code, output = check("--limit", "1")

    assert code == 1
    assert "broker nets: broken is" in output
    assert "… and 1 more" in output
    assert output.rstrip().endswith("2 differences.")


def test_a_check_sees_one_moment_and_changes_nothing(traded: None) -> None:
    with one_moment(), connection.cursor() as cursor:
        cursor.execute("SHOW transaction_isolation")
        assert cursor.fetchone() == ("repeatable read",)
        cursor.execute("SHOW transaction_read_only")
        assert cursor.fetchone() == ("on",)
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)


# --- as a job -------------------------------------------------------------------------------------


def open_alerts() -> dict[str, str]:
    return dict(Alert.objects.filter(resolved_at=None).values_list("kind", "message"))


def test_the_job_keeps_its_result(traded: None) -> None:
    assert tasks.check_ledger() == 0

    result = LedgerCheck.objects.get()
    assert (result.is_clean, result.difference_count) == (True, 0)
    assert [one["name"] for one in result.results] == [check.name for check in CHECKS]
    assert result.results[0]["rows"] > 0
    assert Alert.objects.count() == 0


def test_the_job_raises_an_alert_and_resolves_it_when_all_agrees_again(traded: None) -> None:
    corrupt("UPDATE orders_brokernet SET net_amount = net_amount + 1")

    assert tasks.check_ledger() == 2
    assert tasks.check_ledger() == 2

    alert = Alert.objects.get()
    assert (alert.kind, alert.severity, alert.times_seen) == ("ledger_differs", "CRITICAL", 2)
    assert alert.message == "The ledger differs: broker nets."
    newest = LedgerCheck.objects.latest("id")
    assert alert.facts == {"check_id": newest.id, "differences": {"broker nets": 2}}
    assert (newest.is_clean, newest.difference_count) == (False, 2)
    shown = next(one["shown"] for one in newest.results if one["name"] == "broker nets")
    assert len(shown) == 2

    corrupt("UPDATE orders_brokernet SET net_amount = net_amount - 1")
    assert tasks.check_ledger() == 0
    assert open_alerts() == {}


@pytest.mark.django_db(transaction=True)
def test_a_job_that_cannot_run_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Check("broken", "Nothing.", "SELECT 1", "SELECT 1 FROM nowhere")
    with monkeypatch.context() as patch:
        patch.setattr(reconciliation, "CHECKS", (broken,))
        with pytest.raises(ProgrammingError):
            tasks.check_ledger()

    assert open_alerts() == {
        "ledger_check_failed": "The check of the ledger could not run: ProgrammingError."
    }
    assert LedgerCheck.objects.count() == 0
    tasks.check_ledger()
    assert open_alerts() == {}


@pytest.mark.django_db(transaction=True)
def test_results_are_forgotten_after_90_days() -> None:
    for days in (89, 91):
        LedgerCheck.objects.create(
            started_at=timezone.now() - timedelta(days=days),
            seconds=1,
            is_clean=True,
            difference_count=0,
            results=[],
        )
    tasks.check_ledger()

    assert purge_checks() == 1

    assert LedgerCheck.objects.count() == 2


@pytest.mark.django_db
def test_beat_knows_the_jobs_of_control(settings: Any) -> None:
    app.loader.import_default_modules()
    jobs = {one["task"]: one["schedule"] for one in settings.CELERY_BEAT_SCHEDULE.values()}

    assert jobs["exchange_project.tasks.check_ledger"] == 600
    assert jobs["ledger.tasks.seal_entries"] == 60
    assert {*jobs} <= {*app.tasks}
