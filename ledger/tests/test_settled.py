"""Reads as of an instant never change afterwards: their end is waited for, or clamped."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.test import Client
from django.utils import timezone

from common.database import database_dsn
from ledger.errors import NotSettledYet
from ledger.models import JournalEntry
from ledger.selectors import get_trial_balance, settled
from ledger.selectors.settled import settled_end
from ledger.selectors.wallets import get_balance_at
from ledger.tests.test_wallets import headers_of
from ledger.tests.wallets import make_wallet

pytestmark = pytest.mark.django_db(transaction=True)
_MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
def writer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A session that has written and not committed; reads wait for it for a tenth of a second."""
    monkeypatch.setattr(settled, "_SECONDS_MAX", 0.1)
    with psycopg.connect(database_dsn()) as session:
        session.execute("SELECT pg_current_xact_id()")
        yield session
        session.rollback()


def _started_at(session: Any) -> datetime:
    return session.execute("SELECT now()").fetchone()[0]


def test_without_writers_the_present_is_settled() -> None:
    before = timezone.now()
    assert settled_end(None) >= before
    assert settled_end(timezone.now() + timedelta(days=1)) < timezone.now() + timedelta(hours=1)
    long_ago = before - timedelta(days=1)
    assert settled_end(long_ago) == long_ago


def test_an_end_after_the_beginning_of_a_writer_is_clamped_or_refused(writer: Any) -> None:
    started = _started_at(writer)
    assert settled_end(started) == started
    assert settled_end(None) == started
    assert settled_end(timezone.now() + timedelta(days=1)) == started
    with pytest.raises(NotSettledYet) as refused:
        settled_end(started + _MICROSECOND)
    assert refused.value.facts == {"settled_until": started}
    assert (refused.value.status, refused.value.retry_after_seconds) == (503, 1)


def test_an_end_is_waited_for(writer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settled, "_SECONDS_MAX", 10.0)
    wanted = _started_at(writer) + _MICROSECOND

    def commit() -> None:
        time.sleep(0.2)
        writer.commit()

    thread = threading.Thread(target=commit)
    thread.start()
    assert settled_end(wanted) == wanted
    thread.join()


def test_wallet_statement_and_trial_balance_end_before_the_same_instant(client: Client) -> None:
    wallet = make_wallet("100")
    posted_at = JournalEntry.objects.get().posted_at
    headers = headers_of(wallet)
    for at, balance, line_count in ((posted_at, 0, 0), (posted_at + _MICROSECOND, 100, 1)):
        assert get_balance_at(wallet.id, at).posted_balance == balance
        net = [line.net for one in get_trial_balance(at=at) for line in one.lines]
        assert net == ([balance, -balance] if balance else [])
        path = f"/api/v1/wallets/{wallet.id}"
        text = at.isoformat().replace("+00:00", "Z")
        shown = client.get(f"{path}/balance", {"at": text}, headers=headers).json()
        assert shown["posted_balance"] == str(balance)
        statement = client.get(f"{path}/statement", {"until": text}, headers=headers)
        [section] = json.loads(statement.getvalue())["accounts"]
        assert (section["closing_balance"], len(section["lines"])) == (str(balance), line_count)


def test_a_statement_says_which_end_it_has(client: Client, writer: Any) -> None:
    wallet = make_wallet("100")
    started = _started_at(writer)
    headers = headers_of(wallet)
    path = f"/api/v1/wallets/{wallet.id}/statement"
    answer = client.get(path, {"format": "csv"}, headers=headers)
    assert datetime.fromisoformat(answer["Statement-Until"]) == started
    # The deposit was booked after the writer began, so it is not settled.
    assert answer.getvalue().count(b"\n") == 1
    text = (started + _MICROSECOND).isoformat().replace("+00:00", "Z")
    refused = client.get(path, {"until": text}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (503, "not_settled_yet")
    assert refused["Retry-After"] == "1"
