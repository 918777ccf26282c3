"""The one set-up step: database, static files, demo or first member of staff."""

import io
from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from pytest_django import DjangoAssertNumQueries, Settings

from brokers.models import Broker, User

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def places(settings: Settings, tmp_path: Path) -> None:
    settings.STATIC_ROOT = str(tmp_path / "static")
    settings.DEMO_KEYS_FILE = str(tmp_path / "demo_keys.json")
    settings.ADMIN_EMAIL = "admin@example.com"
    settings.ADMIN_PASSWORD = "a-long-password-of-staff"


def prepare(*options: str) -> str:
    output = io.StringIO()
    call_command("prepare_venue", *options, stdout=output)
    return output.getvalue()


def test_static_files_and_demo_are_there_and_nothing_but_the_demo_is_told(tmp_path: Path) -> None:
    told = prepare()

    assert (tmp_path / "static" / "admin" / "css" / "base.css").exists()
    assert Broker.objects.filter(name="Alpha Securities").exists()
    assert told.startswith("Demo\n")


def test_again_changes_nothing_and_tells_the_same() -> None:
    first = prepare()
    brokers = list(Broker.objects.order_by("id").values_list("id", "name"))

    assert prepare() == first

    assert list(Broker.objects.order_by("id").values_list("id", "name")) == brokers
    assert User.objects.filter(is_superuser=True).count() == 1


def test_steps_are_shown_where_somebody_waits(settings: Settings) -> None:
    settings.DEMO = False

    assert prepare("--show-progress").splitlines() == [
        "progress: looking for migrations",
        "progress: collecting static files",
        "progress: groups of staff, demo, the venue's own accounts",
    ]


def test_a_container_leaves_the_static_files_of_its_image_alone(tmp_path: Path) -> None:
    prepare("--without-static")

    assert not (tmp_path / "static").exists()


def test_venue_without_demo_gets_its_first_staff_only(settings: Settings) -> None:
    settings.DEMO = False

    assert prepare() == ""

    assert User.objects.get().email == "admin@example.com"
    assert not Broker.objects.filter(name="Alpha Securities").exists()


def test_the_checks_of_the_system_need_no_tables(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    # They run before the first migration, in an empty database.
    with django_assert_num_queries(0):
        run_checks()
