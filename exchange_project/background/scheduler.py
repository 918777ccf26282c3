"""Beat's schedule in the database: exactly the tasks of the settings."""

from typing import Any

from django_celery_beat.schedulers import DatabaseScheduler


class VenueScheduler(DatabaseScheduler):
    """Celery beat's database scheduler without rows that no setting knows.

    Intervals are those of the settings, also after a restart; whether a task is paused is kept.
    """

    def setup_schedule(self) -> None:
        """Forget tasks of earlier releases, and store the present ones."""
        self.Model.objects.exclude(name__in=self.app.conf.beat_schedule).delete()
        super().setup_schedule()

    def install_default_entries(self, data: Any) -> None:
        """Celery's own task cleans results up, and there are none."""
