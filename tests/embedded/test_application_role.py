"""The role of the processes owns nothing and cannot undo what triggers keep; the venue trades."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import errors

from embedded import paths, services
from embedded.trial import TrialVenue, trial_venue
from tests.faults import facts
from tests.faults.conftest import register
from tests.faults.traders import VALID_UNTIL, Caller

ROLE = "bourse_app"
PASSWORD = "role0password"
APPEND_ONLY = (
    "ledger_journalentry", "ledger_posting", "ledger_entrysource", "ledger_seal", "ledger_approval",
    "oversight_auditrecord", "oversight_auditseal",
)  # fmt: skip
ENVIRON = {"WEB_WORKERS": "1", "REDIS_PREFIX": "bourse-role:"}


def as_role(url: str, name: str, password: str) -> str:
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{name}:{password}@{place}"))


@pytest.fixture(scope="module")
def venue() -> Iterator[TrialVenue]:
    """A venue that was prepared as containers prepare it; its processes have the role alone."""
    folder = services.make_temporary_folder()
    started = services.start_services(folder)
    secret = (folder / "postgres" / "postgres.password").read_text()
    prepare(as_role(started.database_url, "postgres", secret), started.redis_url)
    url = as_role(started.database_url, ROLE, PASSWORD)
    started.stop()
    with trial_venue(environ=ENVIRON | {"DATABASE_URL": url}, state_dir=folder) as running:
        yield running
    shutil.rmtree(folder)


def prepare(owner_url: str, redis_url: str) -> None:
    """What the container `migrate` does; again changes nothing."""
    command = [sys.executable, "manage.py", "prepare_venue", "--without-static"]
    environ = os.environ | ENVIRON | {"POSTGRES_APP_PASSWORD": PASSWORD, "SECRET_KEY": "s" * 32}
    for _ in range(2):
        subprocess.run(
            [*command, "--application-role", ROLE],
            cwd=paths.project_root(),
            env=environ
            | {"DJANGO_SETTINGS_MODULE": "exchange_project.settings.base", "ENV_FILE": os.devnull}
            | {"DATABASE_URL": owner_url, "REDIS_URL": redis_url},
            check=True,
        )


@pytest.fixture
def connection(venue: TrialVenue) -> Iterator["psycopg.Connection[tuple[Any, ...]]"]:
    with psycopg.connect(venue.database_url, autocommit=True) as opened:
        yield opened


def order(caller: Caller, side: str, document: str) -> None:
    body = {"symbol": "PETR4", "price": 3500, "quantity": 10, "valid_until": VALID_UNTIL}
    answer = caller.post("/orders", body | {"side": side, "document_number": document})
    assert answer.status == 201, answer


def test_the_venue_trades_and_its_ledger_agrees(venue: TrialVenue) -> None:
    caller = Caller(venue.port, register(venue, "Credit"))
    order(caller, "ask", "1")
    order(caller, "bid", "2")

    assert facts.ask(venue, "SELECT count(*) FROM orders_trade") == [(1,)]
    assert "Everything agrees." in venue.manage("check_ledger")
    assert {name for (name,) in facts.ask(venue, "SELECT name FROM auth_group")} != set()


WORKERS = [f"worker-{queue}" for queue in ("risk", "money", "webhooks", "slow")]


@pytest.mark.parametrize("name", ["web", "django", "engine", *WORKERS])
def test_probes_of_containers_find_a_running_venue_well(venue: TrialVenue, name: str) -> None:
    url = f"http://127.0.0.1:{venue.port}/health"

    def is_well() -> bool:
        return probe(venue, name, "--url", url).returncode == 0

    assert venue.supervisor.wait_until(is_well, seconds=30), probe(venue, name).stderr


def test_probes_say_what_is_missing(venue: TrialVenue) -> None:
    assert "no last heartbeat" in probe(venue, "engine", "--shard", "7").stderr
    nobody = probe(venue, "web", "--url", "http://127.0.0.1:1/health")
    assert (nobody.returncode, nobody.stderr[:5]) == (1, "web: ")


def test_probe_of_a_worker_looks_at_the_last_run_of_its_queue(venue: TrialVenue) -> None:
    task = "exchange_project.tasks.purge_old_rows"
    update = "UPDATE exchange_project_taskrun SET {} WHERE task = %s RETURNING 1"
    facts.ask(venue, update.format("succeeded_at = now() - interval '3 hours'"), [task])

    late = probe(venue, "worker-slow")

    assert (late.returncode, late.stderr[:40]) == (1, f"last run of {task}"[:40])
    facts.ask(venue, update.format("succeeded_at = now()"), [task])
    assert probe(venue, "worker-slow").returncode == 0


@pytest.mark.parametrize(("age", "code"), [("10 seconds", 0), ("8 minutes", 1)])
def test_probe_of_beat_looks_at_the_last_task(venue: TrialVenue, age: str, code: int) -> None:
    facts.ask(
        venue,
        "UPDATE django_celery_beat_periodictask SET last_run_at = now() - %s::interval RETURNING 1",
        [age],
    )

    ran = probe(venue, "beat")

    assert ran.returncode == code, ran.stderr


def probe(venue: TrialVenue, *arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "embedded.probe", *arguments],
        cwd=paths.project_root(),
        env=dict(venue.environ) | environ,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_booked_entry_is_reversed_under_its_lock(venue: TrialVenue) -> None:
    """Reversing locks the entry's row, which is append-only."""
    program = (
        "from django.db import transaction; from ledger.locks import lock_entry;"
        "from ledger.models import JournalEntry\n"
        "with transaction.atomic(): print(lock_entry(JournalEntry.objects.first().id).id)"
    )

    assert venue.manage("shell", "--verbosity", "0", "-c", program).strip() != ""


def test_the_role_owns_nothing_and_is_no_superuser(venue: TrialVenue) -> None:
    [role] = facts.ask(
        venue,
        "SELECT current_user, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls"
        "  FROM pg_roles WHERE rolname = current_user",
    )
    owned = facts.ask(venue, "SELECT relname FROM pg_class WHERE relowner = current_user::regrole")

    assert role == (ROLE, False, False, False, False, False)
    assert owned == []


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE {} DISABLE TRIGGER USER",
        "ALTER TABLE {} DISABLE TRIGGER ALL",
        "DELETE FROM {}",
        "TRUNCATE {} CASCADE",
        "DROP TABLE {} CASCADE",
    ],
)
def test_the_role_cannot_undo_what_is_append_only(
    connection: "psycopg.Connection[tuple[Any, ...]]", table: str, statement: str
) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        connection.execute(statement.format(table).encode())


@pytest.mark.parametrize(
    ("statement", "refusal"),
    [
        ("UPDATE ledger_posting SET amount = amount + 1", errors.InsufficientPrivilege),
        ("UPDATE ledger_journalentry SET kind = 'TRADE'", errors.InsufficientPrivilege),
        ("UPDATE ledger_journalentry SET id = gen_random_uuid()", errors.CheckViolation),
        ("SET session_replication_role = replica", errors.InsufficientPrivilege),
        ("CREATE TABLE ledger_other (id int)", errors.InsufficientPrivilege),
        ("DELETE FROM django_migrations", errors.InsufficientPrivilege),
        ("SET ROLE postgres", errors.InsufficientPrivilege),
        (
            "CREATE OR REPLACE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql"
            " AS $$ BEGIN RETURN NEW; END $$",
            errors.InsufficientPrivilege,
        ),
    ],
)
def test_the_role_cannot_get_round_the_rules(
    connection: "psycopg.Connection[tuple[Any, ...]]",
    statement: str,
    refusal: type[Exception],
) -> None:
    with pytest.raises(refusal):
        connection.execute(statement.encode())


def test_every_table_that_is_append_only_is_known_to_this_test(venue: TrialVenue) -> None:
    query = "SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname LIKE '%%append_only'"

    assert {table for (table,) in facts.ask(venue, query)} == set(APPEND_ONLY)
