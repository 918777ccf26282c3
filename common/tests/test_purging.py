"""Deleting in chunks: in order, for a while, and never what somebody else has locked."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction

from common.purging import purge_rows

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Five rows, and chunks of two."""
    monkeypatch.setattr("common.purging._CHUNK", 2)
    names = ["a", "b", "c", "d", "e"]
    Group.objects.bulk_create(Group(name=name) for name in names)
    return names


def left() -> list[str]:
    return list(Group.objects.order_by("name").values_list("name", flat=True))


@contextmanager
def locked_by_another(name: str) -> Iterator[None]:
    is_held, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                Group.objects.select_for_update().get(name=name)
                is_held.set()
                may_end.wait(10)
        finally:
            connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    assert is_held.wait(10)
    try:
        yield
    finally:
        may_end.set()
        holder.join()


def test_the_rows_of_all_queries_go_and_no_others(groups: list[str]) -> None:
    first = Group.objects.filter(name__lt="d").order_by("name")
    second = Group.objects.filter(name="e").order_by("name")

    assert purge_rows(first, second) == 4

    assert left() == ["d"]
    assert purge_rows(first, second) == 0


def test_a_row_that_is_locked_waits_for_the_next_call(groups: list[str]) -> None:
    rows = Group.objects.order_by("name")
    with locked_by_another("b"):
        assert purge_rows(rows) == 4

    assert left() == ["b"]
    assert purge_rows(rows) == 1


def test_it_ends_when_its_time_is_over(groups: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("common.purging._SECONDS_MAX", 0)

    assert purge_rows(Group.objects.order_by("name")) == 0

    assert left() == groups
