"""Where events are delivered, and what became of each."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminURLInputWidget

from brokers.calculations import find_url_problem
from brokers.models import WebhookDelivery, WebhookEndpoint
from brokers.selectors import DELIVERY_STATUSES, delivery_status
from brokers.services import (
    create_webhook_endpoint,
    replay_webhook_delivery,
    update_webhook_endpoint,
)
from common.admin import ReadOnlyAdmin
from common.service_admin import ServiceActions, ServiceAdmin


class _EndpointForm(forms.ModelForm):
    url = forms.URLField(max_length=500, assume_scheme="https", widget=UnfoldAdminURLInputWidget)

    class Meta:
        model = WebhookEndpoint
        fields = ("broker", "url", "payload_format", "is_active")

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        problem = find_url_problem(url, allow_private=settings.WEBHOOK_ALLOW_PRIVATE)
        if problem:
            raise forms.ValidationError(problem)
        return url


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ServiceAdmin):
    """Switched off rather than deleted, since deliveries refer to it."""

    form = _EndpointForm
    list_display = ("url", "broker", "is_active", "created_at")
    list_filter = ("is_active",)
    list_select_related = ("broker",)
    search_fields = ("url", "broker__name", "=id")
    autocomplete_fields = ("broker",)
    ordering = ("-created_at",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        fields = ("broker", "url", "payload_format")
        return (*fields, "is_active", "created_at") if obj else fields

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("broker", "created_at") if obj else ()

    def save_model(
        self,
        request: HttpRequest,
        obj: WebhookEndpoint,
        form: "forms.ModelForm[WebhookEndpoint]",
        change: bool,
    ) -> None:
        if change:
            stored = WebhookEndpoint.objects.get(pk=obj.pk)
            update_webhook_endpoint(
                endpoint=stored,
                url=obj.url,
                is_active=obj.is_active,
                payload_format=obj.payload_format,
            )
        else:
            obj.pk = create_webhook_endpoint(
                broker_id=obj.broker_id, url=obj.url, payload_format=obj.payload_format
            ).pk


class _StatusFilter(admin.SimpleListFilter):
    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name.capitalize()) for name in DELIVERY_STATUSES]

    def queryset(
        self, request: HttpRequest, rows: QuerySet[WebhookDelivery]
    ) -> QuerySet[WebhookDelivery]:
        condition = DELIVERY_STATUSES.get(self.value() or "")
        return rows if condition is None else rows.filter(condition)


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ServiceActions, ReadOnlyAdmin):
    """What was sent when, and what the receiver said."""

    list_display = (
        "id",
        "event",
        "endpoint",
        "status",
        "attempts",
        "created_at",
        "due_at",
        "last_status",
        "last_error",
    )
    list_filter = (_StatusFilter,)
    list_select_related = ("endpoint",)
    search_fields = ("=id", "=endpoint__id")
    ordering = ("-id",)
    actions = ("deliver_again",)

    @admin.display(description="status")
    def status(self, row: WebhookDelivery) -> str:
        return delivery_status(row)

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("brokers.change_webhookdelivery")

    @admin.action(description="Deliver again", permissions=["replay"])
    def deliver_again(self, request: HttpRequest, rows: QuerySet[WebhookDelivery]) -> None:
        self.run_action(
            request,
            rows,
            lambda row: replay_webhook_delivery(delivery=row),
            done="To be delivered again.",
        )
