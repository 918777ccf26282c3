"""The clock's work: sealing with the setting's lag, verifying in turn, alerts of both."""

import logging
from datetime import timedelta
from typing import Any

import pytest

from common.valkey import get_client, key
from ledger import tasks
from ledger.models import Alert, JournalEntry, Seal
from ledger.services.checks import SEAL_BROKEN, SEALS_LATE
from ledger.tests.factories import fund, make_account
from ledger.tests.test_sealing import small_seals
from ledger.tests.test_verification import tamper

__all__ = ["small_seals"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey", "small_seals")]


@pytest.fixture
def sealed(settings: Any) -> list[str]:
    """Five entries in three seals; their ids in order."""
    settings.SEAL_LAG_SECONDS = 0
    account = make_account()
    for _ in range(5):
        fund(account, "1")
    assert tasks.seal_entries() == 5
    order = JournalEntry.objects.order_by("posted_at", "id")
    return [str(entry_id) for entry_id in order.values_list("id", flat=True)]


def open_kinds() -> list[str]:
    return list(Alert.objects.filter(resolved_at=None).values_list("kind", flat=True))


def test_entries_wait_for_the_lag(settings: Any) -> None:
    settings.SEAL_LAG_SECONDS = 60
    fund(make_account(), "1")
    assert tasks.seal_entries() == 0

    settings.SEAL_LAG_SECONDS = 0
    assert tasks.seal_entries() == 1


def test_the_head_is_logged(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.SEAL_LAG_SECONDS = 0
    fund(make_account(), "1")

    with caplog.at_level(logging.INFO, logger="ledger.tasks"):
        tasks.seal_entries()
        tasks.seal_entries()

    assert caplog.messages == [f"sealed 1 entries, head 1:{Seal.objects.get().hash}"]


def test_what_was_tampered_with_becomes_an_alert_that_stays(sealed: list[str]) -> None:
    assert tasks.verify_seals_in_turn() == 3
    assert open_kinds() == []
    tamper(("UPDATE ledger_journalentry SET memo = 'x' WHERE id = ANY(%s)", [sealed[2:4]]))

    tasks.verify_seals_in_turn()

    alert = Alert.objects.get()
    assert (alert.kind, alert.severity) == (SEAL_BROKEN, "CRITICAL")
    assert sealed[2] in alert.message
    assert alert.facts["finding_count"] == 2
    assert alert.facts["first"]["seal"] == 2
    tamper(("UPDATE ledger_journalentry SET memo = '' WHERE id = ANY(%s)", [sealed[2:4]]))
    tasks.verify_seals_in_turn()
    assert open_kinds() == [SEAL_BROKEN]


def test_runs_take_turns_and_begin_anew(sealed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_VERIFY_SECONDS_MAX", 0.0)
    place = key(tasks._NEXT_SEAL_KEY)

    places = []
    for _ in range(4):
        tasks.verify_seals_in_turn()
        places.append(int(get_client().get(place) or 0))

    assert places == [2, 3, 4, 1]


def test_a_place_beyond_the_chain_begins_anew(sealed: list[str]) -> None:
    get_client().set(key(tasks._NEXT_SEAL_KEY), 99)

    assert tasks.verify_seals_in_turn() == 0
    assert tasks.verify_seals_in_turn() == 3
    assert open_kinds() == []


def test_entries_that_nobody_seals_become_an_alert(
    sealed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fund(make_account(), "1")
    tasks.verify_seals_in_turn()
    assert open_kinds() == []

    monkeypatch.setattr(tasks, "_LATE", timedelta(0))
    tasks.verify_seals_in_turn()
    assert open_kinds() == [SEALS_LATE]

    tasks.seal_entries()
    tasks.verify_seals_in_turn()
    assert open_kinds() == []
