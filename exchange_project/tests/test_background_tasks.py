"""Queues, noted runs, and the watch that notices a dead beat, a dead worker and a paused task."""

import http.server
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.contrib import admin
from django.core import mail
from django.db import connection
from django.test import Client
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from brokers.models import User
from common.database import only_run
from embedded import venue
from exchange_project.background import runs, watch
from exchange_project.background.runs import begin_watching, list_task_states, note_run
from exchange_project.background.scheduler import VenueScheduler
from exchange_project.celery import app
from exchange_project.models import TaskRun
from exchange_project.settings.schedule import Queue
from ledger.models import Alert

TASKS = {one.name: one for one in django_settings.BACKGROUND_TASKS}
LONG_UP = 10_000.0


def import_tasks() -> None:
    for config in apps.get_app_configs():
        if find_spec(f"{config.name}.tasks") is not None:
            import_module(f"{config.name}.tasks")


def run_as_worker(name: str) -> None:
    """Run a task the way a worker process does, but on the connection of the test."""
    import_tasks()
    task = app.tasks[name]
    task.push_request(called_directly=False)
    try:
        task()
    finally:
        task.pop_request()


def note_all(*, ago: timedelta = timedelta(0)) -> None:
    for one in django_settings.BACKGROUND_TASKS:
        note_run(task=one.task, started_at=timezone.now(), error="")
    TaskRun.objects.update(succeeded_at=timezone.now() - ago)


def open_alerts(kind: str) -> dict[str, str]:
    found = Alert.objects.filter(kind=kind, resolved_at=None)
    return dict(found.values_list("subject", "severity"))


def test_every_task_has_a_queue_and_every_queue_a_worker():
    import_tasks()
    ours = {name for name in app.tasks if not name.startswith("celery.")}

    assert ours == set(django_settings.CELERY_TASK_ROUTES)
    queues = {route["queue"] for route in django_settings.CELERY_TASK_ROUTES.values()}
    assert queues == set(Queue) == set(venue.QUEUES)


@pytest.mark.parametrize(
    ("task", "queue"),
    [
        ("orders.tasks.sweep_liquidations", "risk"),
        ("ledger.tasks.expire_transfers", "money"),
        ("brokers.tasks.mail_notice", "webhooks"),
        ("exchange_project.tasks.check_ledger", "slow"),
    ],
)
def test_tasks_go_to_the_queue_that_is_declared(task: str, queue: str):
    assert app.amqp.router.route({}, task)["queue"].name == queue


def test_a_run_of_a_worker_is_noted(db):
    run_as_worker("exchange_project.tasks.seal_audit_trail")

    run = TaskRun.objects.get(task="exchange_project.tasks.seal_audit_trail")
    assert run.succeeded_at is not None
    assert (run.failures_in_a_row, run.last_error) == (0, "")


def test_a_failed_run_keeps_the_age_of_the_last_good_one(db):
    task = TASKS["check-ledger"].task
    note_run(task=task, started_at=timezone.now(), error="")
    good = TaskRun.objects.get(task=task).succeeded_at

    for failures in (1, 2):
        note_run(task=task, started_at=timezone.now(), error="OperationalError")
        run = TaskRun.objects.get(task=task)
        assert (run.succeeded_at, run.failures_in_a_row) == (good, failures)
        assert run.last_error == "OperationalError"


def test_of_a_slow_task_one_run_is_at_work_at_a_time(db):
    with only_run("exchange_project.tasks.seal_audit_trail") as is_free:
        assert is_free
        run_as_worker("exchange_project.tasks.seal_audit_trail")
        assert not TaskRun.objects.exists()
        run_as_worker("orders.tasks.store_average_prices")  # not slow: no lock

    assert TaskRun.objects.get().task == "orders.tasks.store_average_prices"


def test_a_dead_beat_is_noticed_by_the_watch(db):
    """No task runs: without beat nothing queues them, and neither beat nor a worker is asked."""
    note_all(ago=timedelta(days=3))

    watch.look(up_seconds=LONG_UP)

    late = open_alerts(watch.TASK_LATE)
    assert set(late) == set(TASKS)
    assert late["sweep-liquidations"] == "CRITICAL"
    assert late["verify-seals"] == "WARNING"


def test_a_dead_worker_leaves_only_its_own_tasks_late(db):
    note_all()
    money = [one.task for one in TASKS.values() if one.queue == Queue.MONEY]
    TaskRun.objects.filter(task__in=money).update(
        succeeded_at=timezone.now() - timedelta(minutes=5)
    )

    watch.look(up_seconds=LONG_UP)

    assert set(open_alerts(watch.TASK_LATE)) == {
        one.name for one in TASKS.values() if one.queue == Queue.MONEY
    }
    message = Alert.objects.get(subject="expire-transfers").message
    assert "expire-transfers has not succeeded for 300 seconds" in message
    assert "worker-money" in message


def test_the_alert_ends_with_the_next_good_run(db):
    note_all(ago=timedelta(days=3))
    watch.look(up_seconds=LONG_UP)
    note_all()

    watch.look(up_seconds=LONG_UP)

    assert open_alerts(watch.TASK_LATE) == {}


def test_a_task_that_never_ran_is_late_once_it_was_watched_for_long_enough(db):
    begin_watching()
    assert not any(one.is_late for one in list_task_states(up_seconds=LONG_UP))

    TaskRun.objects.update(watched_since=timezone.now() - timedelta(minutes=2))

    late = {one.task.name for one in list_task_states(up_seconds=LONG_UP) if one.is_late}
    assert {"sweep-liquidations", "deliver-webhooks"} <= late
    assert "verify-seals" not in late


def test_after_a_start_tasks_get_time_to_catch_up(db):
    note_all(ago=timedelta(days=30))

    assert not any(one.is_late for one in list_task_states(up_seconds=5.0))
    late = {one.task.name for one in list_task_states(up_seconds=40.0) if one.is_late}
    assert late == {"sweep-liquidations", "expire-transfers"}


def test_health_tells_the_ages_and_stays_200(engine, monkeypatch):
    note_all()
    late = TASKS["sweep-liquidations"].task
    TaskRun.objects.filter(task=late).update(succeeded_at=timezone.now() - timedelta(seconds=90))
    monkeypatch.setattr(runs, "_STARTED", runs._STARTED - LONG_UP)

    answer = Client().get("/health")

    assert answer.status_code == 200
    document = answer.json()["tasks"]
    assert document["status"] == "late"
    by_name = {one["name"]: one for one in document["tasks"]}
    assert set(by_name) == set(TASKS)
    assert by_name["sweep-liquidations"] == {
        "name": "sweep-liquidations",
        "queue": "risk",
        "age_seconds": 90,
        "late_after_seconds": 36,
        "is_late": True,
        "is_paused": False,
    }
    assert by_name["check-ledger"]["is_late"] is False


@pytest.fixture
def schedule(transactional_db) -> Any:
    """Beat's schedule as it is after a start."""
    return VenueScheduler(app=app)


def test_beat_has_exactly_the_tasks_of_the_settings(schedule):
    old = IntervalSchedule.objects.create(every=9, period="seconds")
    PeriodicTask.objects.create(name="of-an-earlier-release", task="gone", interval=old)

    VenueScheduler(app=app)

    assert set(PeriodicTask.objects.values_list("name", flat=True)) == set(TASKS)


def test_a_pause_survives_a_restart_of_beat_and_raises_an_alert(schedule):
    note_all()
    runs.pause_task(name="seal-entries")

    VenueScheduler(app=app)
    watch.look(up_seconds=LONG_UP)

    assert not PeriodicTask.objects.get(name="seal-entries").enabled
    assert open_alerts(watch.TASK_PAUSED) == {"seal-entries": "WARNING"}
    runs.resume_task(name="seal-entries")
    watch.look(up_seconds=LONG_UP)
    assert open_alerts(watch.TASK_PAUSED) == {}


@pytest.fixture
def office(db) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.com", "long-password-1"))
    return client


def test_intervals_cannot_be_edited_in_the_back_office(office, schedule):
    row = PeriodicTask.objects.get(name="sweep-liquidations")
    page = f"/admin/django_celery_beat/periodictask/{row.pk}/change/"

    assert office.get(page).status_code == 200
    assert office.post(page, {"interval": "1", "enabled": "on"}).status_code == 403
    assert office.get("/admin/django_celery_beat/periodictask/add/").status_code == 403
    assert IntervalSchedule not in admin.site._registry
    row.refresh_from_db()
    assert row.interval.every == 3


def test_staff_pause_after_a_question(office, schedule):
    row = PeriodicTask.objects.get(name="verify-seals")
    page = "/admin/django_celery_beat/periodictask/"
    sent = {"action": "pause", "_selected_action": [row.pk]}

    assert "Pause these tasks?" in office.post(page, sent).content.decode()
    row.refresh_from_db()
    assert row.enabled
    office.post(page, sent | {"confirmed": "yes"})

    row.refresh_from_db()
    assert not row.enabled


@pytest.fixture
def receiver() -> Iterator[SimpleNamespace]:
    """A server that keeps what is posted to it, and answers with `status`."""
    state = SimpleNamespace(documents=[], status=204, url="")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers["Content-Length"])
            state.documents.append(json.loads(self.rfile.read(size)))
            self.send_response(state.status)
            self.end_headers()

        def log_message(self, *_arguments: Any) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}/alerts"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_new_alert_is_mailed_and_posted_once(db, settings, receiver):
    settings.ALERT_EMAILS, settings.ALERT_WEBHOOK_URL = ["ops@example.com"], receiver.url
    note_all()
    task = TASKS["seal-entries"].task
    TaskRun.objects.filter(task=task).update(succeeded_at=timezone.now() - timedelta(hours=1))

    for _ in range(3):
        watch.look(up_seconds=LONG_UP)

    (message,) = mail.outbox
    assert message.to == ["ops@example.com"]
    assert message.subject.startswith("[Bourse] WARNING: The background task seal-entries")
    (document,) = receiver.documents
    assert (document["kind"], document["subject"]) == ("task_late", "seal-entries")
    assert set(document) == {"id", "severity", "kind", "subject", "message", "raised_at"}


def test_a_receiver_that_is_away_gets_the_alert_later(db, settings, receiver):
    settings.ALERT_EMAILS, settings.ALERT_WEBHOOK_URL = ["ops@example.com"], receiver.url
    note_all(ago=timedelta(days=3))
    receiver.status = 503
    watch.look(up_seconds=LONG_UP)
    refused = len(receiver.documents)
    mailed = len(mail.outbox)

    receiver.status = 204
    for _ in range(3):
        watch.look(up_seconds=LONG_UP)

    assert refused == 20
    assert len({one["id"] for one in receiver.documents}) == len(TASKS)
    assert len(receiver.documents) == refused + len(TASKS)
    assert mailed == 20
    assert len(mail.outbox) == len(TASKS)


def test_only_one_watch_looks_at_a_time(db):
    with only_run("watch") as first, only_run("watch") as second:
        assert (first, second) == (True, False)
    with only_run("watch") as again:
        assert again
    assert connection.connection is not None
