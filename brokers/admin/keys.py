"""API keys: added with a secret that is shown once, revoked after a question, never changed."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from brokers.admin.callers import caller_of
from brokers.models import ApiKey, Scope, default_scopes
from brokers.services import approve_api_key, create_api_key, revoke_api_key
from common.service_admin import ServiceAdmin, ask_first


class _AddKeyForm(forms.ModelForm):
    scopes = forms.MultipleChoiceField(
        choices=Scope.choices,
        initial=default_scopes,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )

    class Meta:
        model = ApiKey
        fields = ("broker", "account", "name", "scopes", "expires_at")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        account, broker = cleaned.get("account"), cleaned.get("broker")
        if account and broker and account.broker_id != broker.pk:
            self.add_error("account", "This account belongs to another broker.")
        if cleaned.get("expires_at") and cleaned["expires_at"] <= timezone.now():
            self.add_error("expires_at", "Must be in the future.")
        return cleaned


class _StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("valid", "Valid"), ("revoked", "Revoked"), ("expired", "Expired")]

    def queryset(self, request: HttpRequest, rows: QuerySet[ApiKey]) -> QuerySet[ApiKey]:
        now = timezone.now()
        if self.value() == "revoked":
            return rows.filter(revoked_at__isnull=False)
        if self.value() == "expired":
            return rows.filter(revoked_at__isnull=True, expires_at__lte=now)
        if self.value() == "valid":
            return rows.filter(revoked_at__isnull=True).exclude(expires_at__lte=now)
        return rows


@admin.register(ApiKey)
class ApiKeyAdmin(ServiceAdmin):
    """A key that staff make works once another one of them approves it. The hash is of no use to
    anybody and not shown."""

    form = _AddKeyForm
    list_display = (
        "prefix",
        "broker",
        "account",
        "name",
        "scopes",
        "created_at",
        "last_used_at",
        "expires_at",
        "revoked_at",
        "waits_for_approval",
    )
    list_filter = (_StateFilter, "waits_for_approval")
    list_select_related = ("broker", "account")
    search_fields = ("prefix", "name", "broker__name", "=id")
    autocomplete_fields = ("broker", "account")
    ordering = ("-created_at",)
    actions = ("approve", "revoke")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        chosen = ("broker", "account", "name", "scopes", "expires_at")
        if obj is None:
            return chosen
        made = ("created_at", "made_by", "waits_for_approval", "last_used_at", "revoked_at")
        return ("id", "prefix", *chosen, *made)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("brokers.change_apikey")

    def has_approve_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("brokers.approve_apikey")

    def save_model(
        self, request: HttpRequest, obj: ApiKey, form: "forms.ModelForm[ApiKey]", change: bool
    ) -> None:
        created = create_api_key(
            broker_id=obj.broker_id,
            account_id=obj.account_id,
            name=obj.name,
            scopes=form.cleaned_data["scopes"],
            expires_at=obj.expires_at,
            made_by=caller_of(request),
        )
        obj.pk, obj.prefix = created.api_key.pk, created.api_key.prefix
        text = "The key, which works once another one of staff has approved it, shown this once: "
        self.message_user(request, text + created.secret, messages.WARNING)

    @admin.action(description="Approve…", permissions=["approve"])
    def approve(self, request: HttpRequest, rows: QuerySet[ApiKey]) -> HttpResponse | None:
        question = "Let these keys work, for whoever has their secrets?"
        page = ask_first(self, request, rows, action="approve", question=question)
        if page is None:
            self.run_action(
                request,
                rows,
                lambda row: approve_api_key(api_key=row, user=caller_of(request)),
                done="Approved.",
            )
        return page

    @admin.action(description="Revoke…", permissions=["revoke"])
    def revoke(self, request: HttpRequest, rows: QuerySet[ApiKey]) -> HttpResponse | None:
        question = "Revoke these keys for good? Programs that use them are shut out at once."
        page = ask_first(self, request, rows, action="revoke", question=question)
        if page is None:
            self.run_action(request, rows, lambda row: revoke_api_key(api_key=row), done="Revoked.")
        return page
