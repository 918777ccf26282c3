"""The watch over background tasks: a thread of the front, which needs neither beat nor workers.

Each process of the front has one; of all of them, one looks at a time.
"""

import logging
import threading

import psycopg
from django.db import DatabaseError, InterfaceError, close_old_connections

from common.database import only_run
from exchange_project.background.notices import send_new_alerts
from exchange_project.background.runs import TaskState, begin_watching, list_task_states
from exchange_project.settings.schedule import Queue
from ledger.selectors.alerts import list_open_subjects
from ledger.services import raise_alert, resolve_alert
from ledger.types import AlertSeverity

_log = logging.getLogger(__name__)

TASK_LATE = "task_late"
TASK_PAUSED = "task_paused"
LOOK_SECONDS = 10.0
_CRITICAL_QUEUES = (Queue.RISK, Queue.MONEY)


class Watch(threading.Thread):
    """Looks every ten seconds until it is stopped."""

    def __init__(self) -> None:
        super().__init__(name="watch", daemon=True)
        self._stopped = threading.Event()

    def stop(self) -> None:
        """No look begins after this."""
        self._stopped.set()

    def run(self) -> None:
        while not self._stopped.wait(LOOK_SECONDS):
            close_old_connections()
            try:
                with only_run("watch") as is_free:
                    if is_free:
                        look()
            except (DatabaseError, InterfaceError, psycopg.Error) as error:
                _log.warning("the watch over background tasks waits: %s", error)
            except Exception:
                _log.exception("The watch over background tasks failed; it looks again")
            finally:
                close_old_connections()


def look(*, up_seconds: float | None = None) -> None:
    """Raise and resolve the alerts of late and paused tasks, and send what is new."""
    begin_watching()
    states = list_task_states(up_seconds=up_seconds)
    _update(TASK_LATE, {one.task.name: one for one in states if one.is_late})
    _update(TASK_PAUSED, {one.task.name: one for one in states if one.is_paused})
    send_new_alerts()


def _update(kind: str, wrong: dict[str, TaskState]) -> None:
    """Have exactly the alerts of this kind open that there is a reason for."""
    is_open = set(list_open_subjects(kind=kind))
    for name in is_open - set(wrong):
        resolve_alert(kind=kind, subject=name)
    for name in set(wrong) - is_open:
        state = wrong[name]
        is_critical = state.task.queue in _CRITICAL_QUEUES
        raise_alert(
            kind=kind,
            subject=name,
            severity=AlertSeverity.CRITICAL if is_critical else AlertSeverity.WARNING,
            message=_message(kind, state),
            facts={
                "age_seconds": state.age_seconds,
                "late_after_seconds": state.task.late_after_seconds,
                "queue": str(state.task.queue),
                "last_error": state.last_error,
            },
        )


def _message(kind: str, state: TaskState) -> str:
    name, queue = state.task.name, state.task.queue
    if kind == TASK_PAUSED:
        return f"The background task {name} is paused."
    cause = f"; its last run ended with {state.last_error}" if state.last_error else ""
    return (
        f"The background task {name} has not succeeded for {state.age_seconds} seconds{cause}. "
        f"Do beat and worker-{queue} run?"
    )
