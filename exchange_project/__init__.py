"""The project: settings, URLs, Celery, and the pages and API that span the apps."""

from exchange_project.celery import app as celery_app

__all__ = ["celery_app"]
