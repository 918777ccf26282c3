"""Orders, trades and engines in the back office: read-only, with a cancel for staff."""

from collections.abc import Sequence
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.options import get_content_type_for_model
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html

from brokers.admin.brokers import TradingAccountAdmin
from brokers.models import TradingAccount
from common.admin import FoundById, ReadOnlyAdmin, as_uuid
from common.errors import ExchangeError
from common.service_admin import actor_of, ask_first
from marketdata.models import Instrument
from orders.models import (
    AveragePrice,
    BrokerNet,
    DealPrice,
    DealResult,
    EngineCommand,
    EngineHeartbeat,
    EngineShard,
    Order,
    OrderKey,
    OrderRefusal,
    RequestKey,
    Trade,
)
from orders.services.cancel import cancel_orders_by_staff
from orders.services.stops import close_empty_account
from orders.types import Result

_FOUND_MAX = 1_000

admin.site.unregister(TradingAccount)


@admin.register(TradingAccount)
class ClosableAccountAdmin(TradingAccountAdmin):
    """As the brokers app has it; only here it is known whether anything is on an account."""

    actions: Sequence[str] = (*TradingAccountAdmin.actions, "close")

    @admin.action(description="Close for good…", permissions=["change"])
    def close(self, request: HttpRequest, rows: QuerySet[TradingAccount]) -> HttpResponse | None:
        question = "Close these accounts for good? All that they have open is canceled."
        page = ask_first(self, request, rows, action="close", question=question)
        if page is None:
            actor = actor_of(request)
            self.run_action(
                request,
                rows,
                lambda row: close_empty_account(account=row, actor=actor),
                done="Closed.",
            )
        return page


_REASON_MAX = 200


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    """Orders, newest first. The search takes an id, a symbol, a document or a client_order_id."""

    list_display = (
        "id",
        "created_at",
        "account",
        "instrument",
        "venue",
        "side",
        "order_type",
        "limit_price",
        "quantity",
        "filled_quantity",
        "status",
        "reason",
    )
    list_filter = ("status", "venue", "side", "order_type", "time_in_force")
    list_select_related = ("account", "instrument")
    ordering = ("-id",)
    search_fields = ("id",)
    search_help_text = "Order id, symbol, client's document or client_order_id; each in full."
    readonly_fields = ("fills_of_order",)
    actions = ("cancel_selected",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Order], search_term: str
    ) -> tuple[QuerySet[Order], bool]:
        """Each kind of term by its own index, one after the other."""
        term = search_term.strip()
        return (queryset.filter(_found_by(term)) if term else queryset), False

    @admin.display(description="Fills")
    def fills_of_order(self, order: Order) -> str:
        """A way to the order's trades."""
        address = reverse("admin:orders_trade_changelist")
        return format_html('<a href="{}?q={}">Trades of this order</a>', address, order.pk)

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """Who may change orders may cancel them; nothing else can be changed."""
        return request.user.has_perm("orders.change_order")

    @admin.action(description="Cancel selected orders", permissions=["cancel"])
    def cancel_selected(
        self, request: HttpRequest, queryset: QuerySet[Order]
    ) -> HttpResponse | None:
        """Asks for confirmation and a reason, then sends the cancels to the engines."""
        orders = queryset.select_related("account", "instrument").order_by("id")[:_FOUND_MAX]
        reason = request.POST.get("reason", "").strip()[:_REASON_MAX]
        if "confirmed" not in request.POST or not reason:
            return self._ask(request, orders, is_reason_missing="confirmed" in request.POST)
        try:
            results = cancel_orders_by_staff(
                order_ids=[order.id for order in orders],
                actor=actor_of(request),
                reason=reason,
            )
        except ExchangeError as error:
            self.message_user(request, error.detail, messages.ERROR)
            return None
        self._record(request, orders, results, reason)
        canceled = sum(result == Result.CANCELED for result in results.values())
        self.message_user(request, f"{canceled} of {len(results)} orders were canceled.")
        return None

    def _ask(
        self, request: HttpRequest, orders: QuerySet[Order], *, is_reason_missing: bool
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": "Cancel orders",
            "opts": self.opts,
            "orders": orders,
            "is_reason_missing": is_reason_missing,
            "reason_length_max": _REASON_MAX,
            "action_checkbox_name": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "orders/cancel_confirmation.html", context)

    def _record(
        self,
        request: HttpRequest,
        orders: QuerySet[Order],
        results: dict[UUID, Result | None],
        reason: str,
    ) -> None:
        """Who canceled what, and why."""
        assert request.user.pk is not None
        content_type = get_content_type_for_model(Order)
        LogEntry.objects.bulk_create(
            LogEntry(
                user_id=request.user.pk,
                content_type=content_type,
                object_id=str(order.id),
                object_repr=str(order)[:200],
                action_flag=CHANGE,
                change_message=f"Cancel ({results[order.id] or 'outcome unknown'}): {reason}",
            )
            for order in orders
        )


@admin.register(Trade)
class TradeAdmin(FoundById):
    """Trades, newest first. The search takes the id of a trade or of an order."""

    list_display = (
        "id",
        "executed_at",
        "instrument",
        "venue",
        "price",
        "quantity",
        "notional",
        "taker_side",
        "buy_account",
        "sell_account",
    )
    list_filter = ("venue", "taker_side")
    list_select_related = ("instrument", "buy_account", "sell_account")
    raw_id_fields = ("buy_order", "sell_order")
    readonly_fields = ("price_of_deal",)
    ordering = ("-id",)
    search_help_text = "Id of a trade or of an order, in full."
    searched_uuids = ("id", "buy_order_id", "sell_order_id")

    @admin.display(description="Market price of the deal")
    def price_of_deal(self, trade: Trade) -> str:
        """Whose price a dealer trade was made at, and how old it was."""
        price = DealPrice.objects.filter(trade_id=trade.pk).first()
        if price is None:
            return "-"
        made_up = ", simulated" if price.is_simulated else ""
        return f"{price.source}{made_up}, as of {price.as_of:%Y-%m-%d %H:%M:%S} UTC"


@admin.register(OrderKey)
class OrderKeyAdmin(ReadOnlyAdmin):
    """Which order claimed which client_order_id."""

    list_display = ("client_order_id", "account", "order_id")
    list_select_related = ("account",)
    raw_id_fields = ("order",)
    ordering = ("-id",)
    search_fields = ("=client_order_id",)


@admin.register(RequestKey)
class RequestKeyAdmin(ReadOnlyAdmin):
    """Which order claimed which Idempotency-Key; the key itself is not kept."""

    list_display = ("key", "order_id", "created_at")
    raw_id_fields = ("order",)
    ordering = ("-pk",)
    search_fields = ("=key",)


@admin.register(BrokerNet)
class BrokerNetAdmin(ReadOnlyAdmin):
    """What each broker sold minus what it bought on the book."""

    list_display = ("broker", "asset", "shard", "net_amount")
    list_select_related = ("broker", "asset")
    list_filter = ("shard",)
    search_fields = ("broker__name",)


@admin.register(EngineShard)
class EngineShardAdmin(ReadOnlyAdmin):
    """The checkpoint of each engine."""

    list_display = ("shard", "epoch", "last_id", "next_sequence", "starts")


@admin.register(EngineHeartbeat)
class EngineHeartbeatAdmin(ReadOnlyAdmin):
    """When each engine last showed that it lives."""

    list_display = ("shard", "epoch", "holder", "beat_at")


@admin.register(EngineCommand)
class EngineCommandAdmin(FoundById):
    """Commands of the last day that were no orders, with their results."""

    list_display = ("id", "kind", "result", "created_at")
    list_filter = ("kind", "result")
    ordering = ("-id",)
    searched_uuids = ("id",)


def _found_by(term: str) -> Q:
    """Which orders a search term means: the first kind of name under which something is found."""
    order_id = as_uuid(term)
    if order_id is not None and Order.objects.filter(id=order_id).exists():
        return Q(id=order_id)
    instrument_id = Instrument.objects.filter(symbol=term.upper()).values_list("id", flat=True)
    if found := list(instrument_id):
        return Q(instrument_id__in=found)
    accounts = TradingAccount.objects.filter(document_number=term).values_list("id", flat=True)
    if found := list(accounts[:_FOUND_MAX]):
        return Q(account_id__in=found)
    keys = OrderKey.objects.filter(client_order_id=term).values_list("order_id", flat=True)
    return Q(id__in=list(keys[:_FOUND_MAX]))


@admin.register(DealPrice)
class DealPriceAdmin(ReadOnlyAdmin):
    """Which price each deal was made at, and where it came from."""

    list_display = ("trade", "source", "as_of")
    list_select_related = ("trade",)
    ordering = ("-trade_id",)


@admin.register(DealResult)
class DealResultAdmin(ReadOnlyAdmin):
    """What accounts had right after their deals in perpetuals."""

    list_display = ("trade", "cash_balance", "holding")
    list_select_related = ("trade",)
    ordering = ("-trade_id",)


@admin.register(OrderRefusal)
class OrderRefusalAdmin(ReadOnlyAdmin):
    """The facts of refused orders."""

    list_display = ("order_id", "facts")
    raw_id_fields = ("order",)
    ordering = ("-order_id",)


@admin.register(AveragePrice)
class AveragePriceAdmin(ReadOnlyAdmin):
    """Average prices of holdings, as far as they are kept."""

    list_display = ("account", "instrument", "average_price", "account_version")
    list_select_related = ("account", "instrument")
    ordering = ("-id",)
