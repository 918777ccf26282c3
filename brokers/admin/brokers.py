"""Firms, the people in them and their clients' accounts."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse

from brokers.models import Broker, Funding, Membership, TradingAccount, TradingStop
from brokers.services import (
    activate_account,
    activate_broker,
    register_broker,
    store_broker,
    suspend_account,
    suspend_broker,
)
from common.admin import ReadOnlyAdmin
from common.service_admin import actor_of, ask_first
from oversight.admin.audited import AuditedAdmin
from oversight.admin.guarded import GuardedAdmin


@admin.register(Broker)
class BrokerAdmin(GuardedAdmin):
    """A new broker gets its first key, whose secret is shown once, and no credit.

    The credit that its accounts get takes two persons.
    """

    list_display = ("name", "status", "default_funding", "is_self_registered", "created_at")
    list_filter = ("status", "default_funding", "is_self_registered")
    search_fields = ("name",)
    ordering = ("name",)
    fields = (
        "id",
        "name",
        "status",
        "default_funding",
        "default_credit_limit",
        "is_self_registered",
        "created_at",
        "updated_at",
    )
    readonly_fields = ("id", "status", "is_self_registered", "created_at", "updated_at")
    actions = ("suspend", "activate")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("name",) if obj is None else self.fields

    def store(
        self, request: HttpRequest, obj: Broker, form: "ModelForm[Broker]", change: bool
    ) -> None:
        if change:
            store_broker(obj)
            return
        registered = register_broker(name=obj.name, default_funding=Funding.PREFUNDED)
        obj.pk = registered.broker.pk
        self.message_user(
            request,
            f"The broker's first key, shown this once: {registered.secret}",
            messages.WARNING,
        )

    @admin.action(description="Suspend…", permissions=["change"])
    def suspend(self, request: HttpRequest, rows: QuerySet[Broker]) -> HttpResponse | None:
        question = (
            "Suspend these brokers? All that they have open is canceled; they may read, not trade."
        )
        page = ask_first(self, request, rows, action="suspend", question=question)
        if page is None:
            actor = actor_of(request)
            self.run_action(
                request,
                rows,
                lambda row: suspend_broker(broker=row, actor=actor),
                done="Suspended.",
            )
        return page

    @admin.action(description="Activate", permissions=["change"])
    def activate(self, request: HttpRequest, rows: QuerySet[Broker]) -> None:
        self.run_action(request, rows, lambda row: activate_broker(broker=row), done="Activated.")


@admin.register(Membership)
class MembershipAdmin(AuditedAdmin):
    """Who may do what in a firm."""

    list_display = ("user", "broker", "role", "created_at")
    list_filter = ("role",)
    list_select_related = ("user", "broker")
    search_fields = ("user__email", "broker__name")
    autocomplete_fields = ("user", "broker")
    show_full_result_count = False


@admin.register(TradingAccount)
class TradingAccountAdmin(GuardedAdmin):
    """Nothing of an account changes here but its status: balances depend on funding and credit
    limit, and whoever owns it gets at the money. Opening one takes two persons."""

    list_display = ("id", "document_number", "broker", "funding", "credit_limit", "status")
    list_filter = ("status", "funding", "is_sandbox")
    list_select_related = ("broker",)
    search_fields = ("=id", "=document_number", "broker__name")
    autocomplete_fields = ("broker",)
    ordering = ("-id",)
    actions: Sequence[str] = ("suspend", "activate")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        opened = ("broker", "document_number", "funding", "credit_limit", "is_sandbox")
        return (*opened, "owner", "status", "created_at", "updated_at") if obj else opened

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        return self.get_fields(request, obj)

    def store(
        self,
        request: HttpRequest,
        obj: TradingAccount,
        form: "ModelForm[TradingAccount]",
        change: bool,
    ) -> None:
        """Nothing: an account is opened by two persons and never edited."""

    @admin.action(description="Suspend…", permissions=["change"])
    def suspend(self, request: HttpRequest, rows: QuerySet[TradingAccount]) -> HttpResponse | None:
        question = "Suspend these accounts? All that they have open is canceled."
        page = ask_first(self, request, rows, action="suspend", question=question)
        if page is None:
            actor = actor_of(request)
            self.run_action(
                request,
                rows,
                lambda row: suspend_account(account=row, actor=actor),
                done="Suspended.",
            )
        return page

    @admin.action(description="Activate", permissions=["change"])
    def activate(self, request: HttpRequest, rows: QuerySet[TradingAccount]) -> None:
        self.run_action(request, rows, lambda row: activate_account(account=row), done="Activated.")


@admin.register(TradingStop)
class TradingStopAdmin(ReadOnlyAdmin):
    """How far the canceling of what stopped accounts and brokers had open has got."""

    list_display = (
        "id",
        "reason",
        "account",
        "broker",
        "canceled_count",
        "open_count",
        "created_at",
        "ended_at",
    )
    list_filter = ("reason", ("ended_at", admin.EmptyFieldListFilter))
    list_select_related = ("account", "broker")
    ordering = ("-id",)
