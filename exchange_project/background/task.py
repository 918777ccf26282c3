"""The base class of the venue's Celery tasks."""

import logging
from typing import Any

from celery import Task
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from common.database import only_run
from exchange_project.settings.schedule import Queue

_log = logging.getLogger(__name__)


class VenueTask(Task):
    """A task whose runs are noted in the database; of a slow one, only one runs at a time.

    What beat does not schedule is not noted. A direct call is a plain function call.
    """

    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the task, as a worker does."""
        if self.request.called_directly:
            return self.run(*args, **kwargs)
        if settings.CELERY_TASK_ROUTES[self.name]["queue"] != Queue.SLOW:
            return self._run_noted(args, kwargs)
        with only_run(self.name) as is_free:
            if is_free:
                return self._run_noted(args, kwargs)
        _log.info("%s runs already", self.name)
        return None

    def _run_noted(self, args: Any, kwargs: Any) -> Any:
        started_at = timezone.now()
        try:
            result = self.run(*args, **kwargs)
        except Exception as error:
            self._note(started_at, type(error).__name__)
            raise
        self._note(started_at, "")
        return result

    def _note(self, started_at: Any, error: str) -> None:
        """Keep how the run ended; a database that is away does not fail a run that is done."""
        from exchange_project.background.runs import note_run

        if self.name not in {one.task for one in settings.BACKGROUND_TASKS}:
            return
        try:
            if not connection.in_atomic_block:
                connection.close_if_unusable_or_obsolete()
            note_run(task=self.name, started_at=started_at, error=error)
        except (DatabaseError, InterfaceError) as failure:
            _log.warning("the run of %s could not be noted: %s", self.name, failure)
