"""Back-office pages that write through services: refusals are shown, actions are logged."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.admin import helpers
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin

from common.admin import CappedPaginator
from common.errors import ExchangeError


class ServiceActions(ModelAdmin):
    """Actions that call a service for each row."""

    def run_action(
        self,
        request: HttpRequest,
        rows: QuerySet[Any],
        act: Callable[[Any], object],
        *,
        done: str,
    ) -> None:
        """Call `act` for each row, log each one as `done`, and tell what was refused and why."""
        count = 0
        for row in rows:
            try:
                act(row)
            except ExchangeError as error:
                self.message_user(request, f"{row}: {error.detail}", messages.ERROR)
            else:
                self.log_change(request, row, done)
                count += 1
        if count:
            self.message_user(request, f"{done} ({count})", messages.SUCCESS)


class ServiceAdmin(ServiceActions):
    """A page whose saves go through services. Nothing that others refer to is ever deleted."""

    paginator = CappedPaginator
    show_full_result_count = False
    list_per_page = 50

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """The form; what a service refuses is rolled back and shown above an untouched one."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except ExchangeError as error:
            self.message_user(request, error.detail, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def actor_of(request: HttpRequest) -> str:
    """Who acts, as services note it."""
    return f"user:{request.user.pk}"


def ask_first(
    model_admin: ModelAdmin,
    request: HttpRequest,
    rows: QuerySet[Any],
    *,
    action: str,
    question: str,
) -> HttpResponse | None:
    """The page that asks whether `action` is meant; None when the answer was yes."""
    if request.POST.get("confirmed"):
        return None
    context = {
        **model_admin.admin_site.each_context(request),
        "title": question,
        "question": question,
        "rows": rows,
        "action": action,
        "action_checkbox_name": helpers.ACTION_CHECKBOX_NAME,
        "opts": model_admin.model._meta,
    }
    return TemplateResponse(request, "admin_actions/confirm.html", context)
