"""Tables of the venue as a whole."""

from django.db import models


class TaskRun(models.Model):
    """The last runs of a background task, written by the worker that ran it."""

    task = models.CharField(primary_key=True, max_length=100)
    watched_since = models.DateTimeField(help_text="Since when its age counts without a run.")
    started_at = models.DateTimeField(null=True, blank=True)
    succeeded_at = models.DateTimeField(
        null=True, blank=True, help_text="When the last run without an exception ended."
    )
    failures_in_a_row = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=100, blank=True, default="")

    def __str__(self) -> str:
        return self.task
