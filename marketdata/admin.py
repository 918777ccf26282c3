"""Assets and instruments in the back office: listed and changed by staff, through the services.

What orders were made of (assets, steps, price rule, shard) is fixed once it is saved.
"""

from collections.abc import Callable
from copy import copy
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from common.admin import ReadOnlyAdmin
from common.errors import FieldError
from common.service_admin import ServiceAdmin
from marketdata.calculations import scale_errors, symbol_errors
from marketdata.models import Asset, Candle, CandleProgress, Instrument, MarkPrice
from marketdata.services import instrument_errors, store_asset, store_instrument
from oversight.admin.guarded import GuardedAdmin


class _RulesForm(forms.ModelForm):
    """Shows the errors of our own rules at their fields, with the form's own.

    `broken_rules` tells what is wrong with the row as it would be saved.
    """

    broken_rules: Callable[[Any], list[FieldError]]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        candidate = copy(self.instance)
        for name, value in cleaned.items():
            setattr(candidate, name, value)
        for error in self.broken_rules(candidate):
            self.add_error(error.field if error.field in self.fields else None, error.detail)
        return cleaned


class AssetForm(_RulesForm):
    """An asset under the rules of codes and scales."""

    class Meta:
        model = Asset
        fields = ("code", "name", "kind", "scale")

    @staticmethod
    def broken_rules(candidate: Asset) -> list[FieldError]:
        return [*symbol_errors(candidate.code, "code"), *scale_errors(candidate.scale)]


class InstrumentForm(_RulesForm):
    """An instrument under the rules of steps, limits and rates."""

    class Meta:
        model = Instrument
        fields = (
            "symbol",
            "name",
            "price_symbol",
            "kind",
            "state",
            "base_asset",
            "quote_asset",
            "tick_size",
            "lot_size",
            "price_rule",
            "min_quantity",
            "max_quantity",
            "min_notional",
            "max_notional",
            "price_band_rate",
            "market_collar_rate",
            "initial_margin_rate",
            "maintenance_margin_rate",
            "mark_jump_limit_rate",
            "mark_stale_seconds",
            "max_position",
            "liquidation_fee_rate",
            "liquidation_buffer_rate",
            "funding_interval_seconds",
            "funding_interest_rate",
            "funding_cap_rate",
            "maker_fee_rate",
            "taker_fee_rate",
        )

    broken_rules = staticmethod(instrument_errors)


class _FixedOnceSaved(ServiceAdmin):
    """Some fields can be given only when the row is made."""

    fixed_fields: tuple[str, ...] = ()

    def get_readonly_fields(
        self, request: HttpRequest, obj: Model | None = None
    ) -> tuple[str, ...]:
        return self.fixed_fields if obj is not None else ()


@admin.register(Asset)
class AssetAdmin(_FixedOnceSaved):
    """What the ledger counts; its scale is for ever."""

    form = AssetForm
    list_display = ("code", "name", "kind", "scale")
    list_filter = ("kind",)
    search_fields = ("code", "name")
    ordering = ("code",)
    fixed_fields = ("code", "kind", "scale")

    def save_model(
        self, request: HttpRequest, obj: Asset, form: forms.ModelForm, change: bool
    ) -> None:
        store_asset(obj)


@admin.register(Instrument)
class InstrumentAdmin(_FixedOnceSaved, GuardedAdmin):
    """What is traded, with its rules. Numbers and new instruments take two persons."""

    form = InstrumentForm
    list_display = (
        "symbol",
        "name",
        "kind",
        "state",
        "quote_asset",
        "tick_size",
        "lot_size",
        "maker_fee_rate",
        "taker_fee_rate",
        "is_open_listing",
    )
    list_filter = ("kind", "state", "is_open_listing")
    list_select_related = ("base_asset", "quote_asset")
    search_fields = ("symbol", "name")
    ordering = ("symbol",)
    autocomplete_fields = ("base_asset", "quote_asset")
    fixed_fields = (
        "symbol",
        "kind",
        "base_asset",
        "quote_asset",
        "tick_size",
        "lot_size",
        "price_rule",
    )

    def store(
        self, request: HttpRequest, obj: Instrument, form: forms.ModelForm, change: bool
    ) -> None:
        store_instrument(obj)


@admin.register(MarkPrice)
class MarkPriceAdmin(ReadOnlyAdmin):
    """Mark prices of perpetuals, newest first."""

    list_display = ("instrument", "price", "source", "as_of", "posted_at", "actor", "is_forced")
    list_filter = ("source", "instrument")
    list_select_related = ("instrument",)
    ordering = ("-id",)


@admin.register(Candle)
class CandleAdmin(ReadOnlyAdmin):
    """Candles, the last built ones first."""

    list_display = (
        "instrument",
        "interval",
        "opened_at",
        "open_price",
        "high_price",
        "low_price",
        "close_price",
        "volume",
    )
    list_filter = ("interval",)
    list_select_related = ("instrument",)
    ordering = ("-id",)


@admin.register(CandleProgress)
class CandleProgressAdmin(ReadOnlyAdmin):
    """How far the candles of each shard are built."""

    list_display = ("shard", "built_until")
