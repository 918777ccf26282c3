"""The Celery application; beat is the clock of the venue."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "exchange_project.settings.base")

app = Celery("exchange_project", task_cls="exchange_project.background.task:VenueTask")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
