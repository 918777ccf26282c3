"""The Celery application; beat is the clock of the venue."""

import os

from celery import Celery
from celery.signals import celeryd_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "exchange_project.settings.base")

app = Celery("exchange_project")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@celeryd_init.connect
def prepare_worker(**_: object) -> None:
    """Before a worker connects: see that the death of the broker is not its own."""
    from common.broker_guard import guard_closed_channels

    guard_closed_channels()
