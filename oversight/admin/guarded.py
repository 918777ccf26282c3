"""Pages of tables with fields that take two persons."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from common.errors import ExchangeError
from common.limits import LINE_LENGTH_MAX
from common.service_admin import ServiceAdmin
from oversight.registry import GuardedModel, get_guarded
from oversight.services.changes import check_change, list_changes, request_change
from oversight.types import FieldChange

REASON = "change_reason"
CONFIRMED = "change_confirmed"


class GuardedAdmin(ServiceAdmin):
    """A page that asks for a second person where a guarded field is changed.

    It first shows old and new values and asks for a reason. Fields that are not guarded are stored
    at once, by `store`.
    """

    def store(self, request: HttpRequest, obj: Any, form: forms.ModelForm, change: bool) -> None:
        """Store what takes one person alone."""
        raise NotImplementedError

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """The form; before guarded changes are asked for, a page that shows them."""
        if request.method == "POST" and CONFIRMED not in request.POST:
            page = self._confirmation(request, object_id)
            if page is not None:
                return page
        return super().changeform_view(request, object_id, form_url, extra_context)

    def save_model(
        self, request: HttpRequest, obj: Any, form: forms.ModelForm, change: bool
    ) -> None:
        row = self._row(obj, change)
        changes = self._changes(row, form, change)
        if changes:
            asked = request_change(
                row=row,
                changes=changes,
                requested_by=_person_of(request),
                reason=request.POST.get(REASON, "").strip(),
            )
            request._asked_change = asked  # type: ignore[attr-defined]
            if not change:
                return
            for name in changes:
                setattr(obj, name, getattr(row, name))
        if not change or set(form.changed_data) - set(changes):
            self.store(request, obj, form, change)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Nothing was added where a second person is asked first."""
        if hasattr(request, "_asked_change"):
            return None
        return super().log_addition(request, obj, message)

    def response_add(self, request: HttpRequest, obj: Any, *arguments: Any) -> HttpResponse:
        answer = self._waiting(request)
        return answer or super().response_add(request, obj, *arguments)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        return self._waiting(request) or super().response_change(request, obj)

    def _waiting(self, request: HttpRequest) -> HttpResponse | None:
        asked = getattr(request, "_asked_change", None)
        if asked is None:
            return None
        text = f"This waits for a second person (change request {asked.pk}): {asked}"
        self.message_user(request, text, messages.WARNING)
        meta = self.model._meta
        return HttpResponseRedirect(reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist"))

    def _confirmation(self, request: HttpRequest, object_id: str | None) -> HttpResponse | None:
        """The page with old and new values; None where nothing guarded is about to change."""
        change = object_id is not None
        obj = None if object_id is None else self.get_object(request, unquote(object_id))
        if change and (obj is None or not self.has_change_permission(request, obj)):
            return None
        if not change and not self.has_add_permission(request):
            return None
        form = self.get_form(request, obj, change=change)(request.POST, instance=obj)
        if not form.is_valid():
            return None
        changes = self._changes(self._row(form.instance, change), form, change)
        if not changes:
            return None
        try:
            check_change(row=self._row(form.instance, change), changes=changes)
        except ExchangeError as error:
            self.message_user(request, error.detail, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())
        return TemplateResponse(
            request, "oversight/confirm_change.html", self._context(request, obj, changes)
        )

    def _context(
        self, request: HttpRequest, obj: Model | None, changes: dict[str, FieldChange]
    ) -> dict[str, Any]:
        sent = {"csrfmiddlewaretoken", REASON, CONFIRMED}
        return {
            **self.admin_site.each_context(request),
            "title": "Ask a second person for this change?",
            "opts": self.model._meta,
            "subject": str(obj) if obj is not None else f"new {self.model._meta.verbose_name}",
            "changes": [(name.replace("_", " "), one) for name, one in changes.items()],
            "sent": [
                (name, value)
                for name, values in request.POST.lists()
                if name not in sent
                for value in values
            ],
            "reason_name": REASON,
            "confirmed_name": CONFIRMED,
            "reason_length_max": LINE_LENGTH_MAX,
        }

    @property
    def _guarded(self) -> GuardedModel:
        return get_guarded(self.model._meta.label_lower)

    def _row(self, obj: Any, change: bool) -> Any:
        """The row as it is stored; a new one as it would be."""
        return self.model._default_manager.get(pk=obj.pk) if change else obj

    def _changes(self, row: Any, form: forms.ModelForm, change: bool) -> dict[str, FieldChange]:
        """What takes two persons: guarded fields that changed, or a whole new row."""
        if not change and self._guarded.create is None:
            return {}
        concrete = {field.name for field in self.model._meta.concrete_fields}
        wanted = {
            name: getattr(form.instance, name)
            for name in form.cleaned_data
            if name in concrete and (not change or name in form.changed_data)
        }
        return list_changes(self._guarded, row, wanted)


def _person_of(request: HttpRequest) -> UUID:
    """Who is logged in; nobody else gets to a page of the back office."""
    assert request.user.pk is not None
    return request.user.pk
