"""Backup and restore: a venue that traded is taken back, and set up in a fresh folder."""

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from embedded import paths, services, state_lock
from embedded.trial import TrialVenue, trial_venue
from tests.faults import facts
from tests.faults.conftest import register
from tests.faults.traders import VALID_UNTIL, Caller

SYMBOL = "PETR4"
PREFIX = "bourse-backup:"


@dataclass(frozen=True)
class Saved:
    """A backup of a venue, and what was so when it was made."""

    file: Path
    state_dir: Path
    broker_key: str
    book: dict[str, list[tuple[int, int, int]]]
    balance: object
    orders: int
    output: str


def embedded(
    state_dir: Path, *arguments: str, answer: str = "", **environ: str
) -> "subprocess.CompletedProcess[str]":
    """Run a command on a state folder, as on a machine without servers of its own."""
    ours = {n: v for n, v in os.environ.items() if n not in ("DATABASE_URL", "REDIS_URL")}
    return subprocess.run(
        [sys.executable, "-m", "embedded", *arguments],
        cwd=paths.project_root(),
        env=ours | {"BOURSE_STATE": str(state_dir), "REDIS_PREFIX": PREFIX} | environ,
        input=answer,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@contextmanager
def venue_in(state_dir: Path) -> Iterator[TrialVenue]:
    with trial_venue(
        processes=("engine-0", "django", "web"),
        environ={"WEB_WORKERS": "1", "REDIS_PREFIX": PREFIX},
        state_dir=state_dir,
    ) as venue:
        yield venue


def order(caller: Caller, document: str, side: str, price: int, quantity: int) -> None:
    answer = caller.post(
        "/orders",
        {
            "document_number": document,
            "symbol": SYMBOL,
            "side": side,
            "price": price,
            "quantity": quantity,
            "valid_until": VALID_UNTIL,
        },
    )
    assert answer.status == 201, answer


def trade(caller: Caller) -> None:
    """30 change hands at 3500; 10 more stay on the bid."""
    order(caller, "1", "ask", 3500, 30)
    order(caller, "2", "bid", 3500, 40)


def order_count(venue: TrialVenue) -> int:
    [(count,)] = facts.ask(venue, "SELECT count(*) FROM orders_order")
    return int(count)


@pytest.fixture
def state_dir() -> Iterator[Path]:
    folder = services.make_temporary_folder()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def saved() -> Iterator[Saved]:
    """A venue that traded, was backed up while it ran, traded on, and was stopped."""
    folder = services.make_temporary_folder()
    file = folder / "venue.dump"
    with venue_in(folder) as venue:
        key = register(venue, "Credit")
        caller = Caller(venue.port, key)
        trade(caller)
        facts.wait_until_quiet(venue, caller)
        ran = embedded(folder, "backup", str(file), DATABASE_URL=venue.database_url)
        assert ran.returncode == 0, ran.stderr
        saved = Saved(
            file,
            folder,
            key,
            facts.shown_book(caller, SYMBOL),
            caller.get("/balance").document,
            order_count(venue),
            ran.stdout,
        )
        for price in (3400, 3300, 3200):
            order(caller, "3", "bid", price, 7)
    yield saved
    shutil.rmtree(folder)


def assert_is_as_saved_and_trades(state_dir: Path, saved: Saved) -> None:
    with venue_in(state_dir) as venue:
        caller = Caller(venue.port, saved.broker_key)
        assert order_count(venue) == saved.orders
        assert facts.shown_book(caller, SYMBOL) == saved.book == facts.stored_book(venue, SYMBOL)
        assert caller.get("/balance").document == saved.balance
        assert "Everything agrees." in venue.manage("check_ledger")

        order(caller, "1", "ask", 3500, 10)

        assert facts.shown_book(caller, SYMBOL) == {"bids": [], "asks": []}
        assert "Everything agrees." in venue.manage("check_ledger")


def test_backup_is_one_private_file_and_says_how_large(saved: Saved):
    assert stat.S_IMODE(saved.file.stat().st_mode) == 0o600
    assert f"Backed up to {saved.file}: " in saved.output
    assert not list(saved.file.parent.glob("*.partial"))


def test_restore_takes_a_venue_back_and_it_trades(saved: Saved):
    """Valkey held commands and snapshots newer than the backup: none of them comes back."""
    ran = embedded(saved.state_dir, "restore", str(saved.file), answer="y\n")

    assert ran.returncode == 0, ran.stderr
    assert f"Replace all data in {saved.state_dir} by the backup {saved.file} of 20" in ran.stdout
    assert_is_as_saved_and_trades(saved.state_dir, saved)


def test_restore_fills_a_fresh_folder_without_a_question(saved: Saved, state_dir: Path):
    ran = embedded(state_dir, "restore", str(saved.file))

    assert ran.returncode == 0, ran.stderr
    assert "[y/N]" not in ran.stdout
    assert_is_as_saved_and_trades(state_dir, saved)


@pytest.mark.parametrize("answer", ["n\n", "", "\n"])
def test_restore_without_a_yes_changes_nothing(state_dir: Path, saved: Saved, answer: str):
    data = state_dir / "postgres" / "data"
    data.mkdir(parents=True)

    ran = embedded(state_dir, "restore", str(saved.file), answer=answer)

    assert (ran.returncode, ran.stderr) == (1, "Nothing was changed.\n")
    assert list(data.iterdir()) == []


def test_restore_into_a_running_venue_is_refused(state_dir: Path, saved: Saved):
    services.make_state_folders(state_dir)
    with state_lock.hold(state_dir):
        ran = embedded(state_dir, "restore", str(saved.file), "--yes")

    assert (ran.returncode, ran.stderr) == (1, "The venue is running. Stop it first: make stop\n")


def test_restore_into_a_server_of_ones_own_is_refused(state_dir: Path, saved: Saved):
    own = "postgresql://bourse@db.example.com/bourse"

    ran = embedded(state_dir, "restore", str(saved.file), "--yes", DATABASE_URL=own)

    assert ran.returncode == 1
    assert ran.stderr.startswith("DATABASE_URL names a server of your own")


def test_file_that_is_no_backup_is_refused(state_dir: Path, tmp_path: Path):
    wrong = tmp_path / "wrong.dump"
    wrong.write_text("no backup")

    ran = embedded(state_dir, "restore", str(wrong), "--yes")

    assert ran.returncode == 1
    assert ran.stderr.startswith(f"{wrong} cannot be read as a backup:\npg_restore: error:")
    assert embedded(state_dir, "restore", str(tmp_path / "none")).stderr.startswith("There is no ")


def test_damaged_backup_leaves_the_database_as_it_was(saved: Saved, tmp_path: Path):
    damaged = tmp_path / "damaged.dump"
    damaged.write_bytes(saved.file.read_bytes()[:-300])

    ran = embedded(saved.state_dir, "restore", str(damaged), "--yes")

    assert ran.returncode == 1
    assert ran.stderr.startswith("pg_restore failed:\n")
    shown = embedded(saved.state_dir, "backup", str(tmp_path / "again.dump"))
    assert shown.returncode == 0, shown.stderr


def test_backup_of_a_newer_version_is_refused(saved: Saved, state_dir: Path, tmp_path: Path):
    assert embedded(state_dir, "restore", str(saved.file)).returncode == 0
    with_postgres = services.start_services(state_dir, valkey=False)
    with psycopg.connect(with_postgres.database_url) as connection:
        later = "INSERT INTO django_migrations (app, name, applied) VALUES ('orders', %s, now())"
        connection.execute(later, ["9999_later"])
    with_postgres.stop()
    newer = tmp_path / "newer.dump"
    assert embedded(state_dir, "backup", str(newer)).returncode == 0

    ran = embedded(state_dir, "restore", str(newer), "--yes")

    assert ran.returncode == 1
    assert "made by a newer version, with migrations that are not here: orders.9999" in ran.stderr


def test_backup_replaces_no_file(saved: Saved):
    ran = embedded(saved.state_dir, "backup", str(saved.file))

    assert (ran.returncode, ran.stderr) == (1, f"{saved.file} exists already. Name another file.\n")


def test_backup_of_nothing_is_refused(state_dir: Path, tmp_path: Path):
    ran = embedded(state_dir, "backup", str(tmp_path / "venue.dump"))

    assert (ran.returncode, ran.stderr) == (1, "The servers have not been started yet: make run\n")
    assert list(tmp_path.iterdir()) == []
