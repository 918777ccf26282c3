"""The venue's background tasks in the back office: when they ran, pause and resume."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)

from common.admin import ReadOnlyAdmin
from common.service_admin import ServiceActions, ask_first
from exchange_project.background.runs import (
    TaskState,
    list_task_states,
    pause_task,
    resume_task,
)

# Intervals are settings. A row edited here would be overwritten at beat's next start.
admin.site.unregister(
    [ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule]
)


@admin.register(PeriodicTask)
class BackgroundTaskAdmin(ServiceActions, ReadOnlyAdmin):
    """Tasks of beat's schedule. Their intervals are settings; staff pause and resume them."""

    list_display = ("name", "interval", "queue_name", "last_run", "is_late", "enabled")
    list_select_related = ("interval",)
    ordering = ("name",)
    search_fields = ("name",)
    fields = ("name", "task", "interval", "queue_name", "last_run", "is_late", "enabled")
    readonly_fields = fields
    actions = ("pause", "resume")

    def has_pause_permission(self, request: HttpRequest) -> bool:
        """Whether this member of staff pauses tasks, although nobody edits a row."""
        return request.user.has_perm("django_celery_beat.change_periodictask")

    @admin.action(description="Pause…", permissions=["pause"])
    def pause(self, request: HttpRequest, rows: QuerySet[PeriodicTask]) -> HttpResponse | None:
        question = "Pause these tasks? What they do stops, and an alert stays open meanwhile."
        page = ask_first(self, request, rows, action="pause", question=question)
        if page is None:
            self.run_action(request, rows, lambda row: pause_task(name=row.name), done="Paused.")
        return page

    @admin.action(description="Resume", permissions=["pause"])
    def resume(self, request: HttpRequest, rows: QuerySet[PeriodicTask]) -> None:
        self.run_action(request, rows, lambda row: resume_task(name=row.name), done="Resumed.")

    @admin.display(description="Queue")
    def queue_name(self, row: PeriodicTask) -> str:
        """Whose workers run it."""
        state = _state_of(row)
        return "-" if state is None else str(state.task.queue)

    @admin.display(description="Last good run")
    def last_run(self, row: PeriodicTask) -> str:
        """How long ago."""
        state = _state_of(row)
        return "-" if state is None or state.age_seconds is None else f"{state.age_seconds} s ago"

    @admin.display(description="Late", boolean=True)
    def is_late(self, row: PeriodicTask) -> bool:
        """Whether that is too long ago."""
        state = _state_of(row)
        return state is not None and state.is_late


def _state_of(row: PeriodicTask) -> TaskState | None:
    return next((one for one in list_task_states() if one.task.name == row.name), None)
