"""When each background task last ran, and which of them are late or paused."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from common.database import retry_on_conflict
from exchange_project.models import TaskRun
from exchange_project.settings.schedule import BackgroundTask
from oversight.services.records import record

# After a start of the venue, tasks get so long to run before they are called late.
_GRACE_SECONDS = 600
_STARTED = time.monotonic()

_NOTE = """
INSERT INTO exchange_project_taskrun AS run
       (task, watched_since, started_at, succeeded_at, failures_in_a_row, last_error)
VALUES (%(task)s, now(), %(started_at)s, %(succeeded_at)s, %(failures)s, %(error)s)
    ON CONFLICT (task) DO UPDATE SET started_at = excluded.started_at,
       succeeded_at = coalesce(excluded.succeeded_at, run.succeeded_at),
       failures_in_a_row = CASE WHEN excluded.failures_in_a_row = 0 THEN 0
                                ELSE run.failures_in_a_row + 1 END,
       last_error = excluded.last_error
"""
_WATCH = """
INSERT INTO exchange_project_taskrun (task, watched_since, failures_in_a_row, last_error)
SELECT task, now(), 0, '' FROM unnest(%s::text[]) AS task ON CONFLICT (task) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class TaskState:
    """A scheduled task and its last good run; `age_seconds` counts from the start of the watch
    where there has been none, and is None before the watch began."""

    task: BackgroundTask
    age_seconds: int | None
    is_late: bool
    is_paused: bool
    last_error: str


@retry_on_conflict
@transaction.atomic
def note_run(*, task: str, started_at: datetime, error: str) -> None:
    """Keep that a run has ended: well, or with an exception of this name."""
    facts: dict[str, Any] = {
        "task": task,
        "started_at": started_at,
        "succeeded_at": None if error else timezone.now(),
        "failures": 1 if error else 0,
        "error": error,
    }
    with connection.cursor() as cursor:
        cursor.execute(_NOTE, facts)


@retry_on_conflict
@transaction.atomic
def begin_watching() -> None:
    """Let the ages of tasks that have never run count from now."""
    with connection.cursor() as cursor:
        cursor.execute(_WATCH, [[one.task for one in settings.BACKGROUND_TASKS]])


def pause_task(*, name: str) -> None:
    """Have beat skip a task until it is resumed; an alert is raised meanwhile."""
    _set_enabled(name, is_enabled=False)


def resume_task(*, name: str) -> None:
    """Have beat run a task again."""
    _set_enabled(name, is_enabled=True)


@transaction.atomic
def _set_enabled(name: str, *, is_enabled: bool) -> None:
    row = PeriodicTask.objects.select_for_update().get(name=name)
    row.enabled = is_enabled
    # Beat reads its schedule again for what `save` notes.
    row.save(update_fields=["enabled", "date_changed"])
    action = "task.resumed" if is_enabled else "task.paused"
    record(action=action, target=row, after={"name": name, "enabled": is_enabled})


def list_task_states(*, up_seconds: float | None = None) -> Sequence[TaskState]:
    """The state of every scheduled task; `up_seconds`: how long this process runs.

    Right after a start nothing is late: a venue that was off for a night catches up first.
    """
    up = time.monotonic() - _STARTED if up_seconds is None else up_seconds
    now = timezone.now()
    runs = {run.task: run for run in TaskRun.objects.all()}
    is_enabled = dict(PeriodicTask.objects.values_list("name", "enabled"))
    return [
        _state_of(one, runs.get(one.task), now, up, is_paused=not is_enabled.get(one.name, True))
        for one in settings.BACKGROUND_TASKS
    ]


def _state_of(
    task: BackgroundTask, run: TaskRun | None, now: datetime, up_seconds: float, *, is_paused: bool
) -> TaskState:
    if run is None:
        return TaskState(task, None, is_late=False, is_paused=is_paused, last_error="")
    age = int((now - (run.succeeded_at or run.watched_since)).total_seconds())
    limit = task.late_after_seconds
    is_late = age > limit and up_seconds > min(limit, _GRACE_SECONDS)
    return TaskState(task, age, is_late=is_late, is_paused=is_paused, last_error=run.last_error)
