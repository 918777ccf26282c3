"""The Celery application; beat is the clock of the venue.

A task that is queued while a request is served logs under that request's id; one that beat queues
under its own.
"""

import logging.config
import os
from typing import Any

from celery import Celery
from celery.signals import (
    before_task_publish,
    celeryd_init,
    setup_logging,
    task_postrun,
    task_prerun,
)

from common.request_ids import bind_request_id, current_request_id

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "exchange_project.settings.base")

app = Celery("exchange_project", task_cls="exchange_project.background.task:VenueTask")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@celeryd_init.connect
def prepare_worker(**_: object) -> None:
    """Before a worker connects: see that the death of the broker is not its own."""
    from common.broker_guard import guard_closed_channels

    guard_closed_channels()


_HEADER = "bourse_request_id"


@setup_logging.connect
def _log_as_all_processes_do(**_options: Any) -> None:
    from django.conf import settings

    logging.config.dictConfig(settings.LOGGING)


@before_task_publish.connect
def _send_request_id(headers: dict[str, Any] | None = None, **_options: Any) -> None:
    request_id = current_request_id()
    if request_id and headers is not None:
        headers[_HEADER] = request_id


@task_prerun.connect
def _bind_request_id(task_id: str, task: Any, **_options: Any) -> None:
    bind_request_id(getattr(task.request, _HEADER, None) or f"task:{task_id}")


@task_postrun.connect
def _release_request_id(**_options: Any) -> None:
    bind_request_id("")
