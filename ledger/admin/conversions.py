"""Rates of conversions, which staff set, and the quotes that were given."""

from django.contrib import admin
from django.forms import ModelForm
from django.http import HttpRequest

from common.admin import FoundById
from common.money import plain
from ledger.calculations import net_rate
from ledger.models import ConversionQuote, ConversionRate
from ledger.services import store_conversion_rate
from oversight.admin.guarded import GuardedAdmin


@admin.register(ConversionRate)
class ConversionRateAdmin(GuardedAdmin):
    """One row for a pair; the way back follows from it. Rates and new pairs take two persons.

    Quotes that were given stay as they are.
    """

    list_display = (
        "pair",
        "shown_rate",
        "spread",
        "there",
        "back",
        "follows_market",
        "is_active",
        "updated_at",
    )
    list_filter = ("is_active", "follows_market")
    list_select_related = ("base", "quote")
    search_fields = ("=base__code", "=quote__code")
    search_help_text = "Code of a currency, in full."
    ordering = ("base__code", "quote__code")
    fields = (
        "base", "quote", "rate", "spread_rate", "follows_market", "is_active", "there", "back",
    )  # fmt: skip
    readonly_fields = ("there", "back")

    def get_readonly_fields(
        self, request: HttpRequest, obj: ConversionRate | None = None
    ) -> tuple[str, ...]:
        return self.readonly_fields if obj is None else ("base", "quote", *self.readonly_fields)

    def store(
        self,
        request: HttpRequest,
        obj: ConversionRate,
        form: "ModelForm[ConversionRate]",
        change: bool,
    ) -> None:
        store_conversion_rate(obj)

    @admin.display(description="Pair")
    def pair(self, row: ConversionRate) -> str:
        """What is given a price, and in what."""
        return f"{row.base.code} in {row.quote.code}"

    @admin.display(description="Rate")
    def shown_rate(self, row: ConversionRate) -> str:
        """Without needless zeros."""
        return plain(row.rate)

    @admin.display(description="Spread")
    def spread(self, row: ConversionRate) -> str:
        """In percent."""
        return f"{plain(row.spread_rate * 100)} %"

    @admin.display(description="A client gets")
    def there(self, row: ConversionRate) -> str:
        """For one unit of the base, with the spread."""
        return _shown_rate(row, is_inverse=False)

    @admin.display(description="And on the way back")
    def back(self, row: ConversionRate) -> str:
        """For one unit of the quote, with the spread."""
        return _shown_rate(row, is_inverse=True)


@admin.register(ConversionQuote)
class ConversionQuoteAdmin(FoundById):
    """Quotes, newest first; a used one names its entry."""

    list_display = ("created_at", "account", "sold", "bought", "rate", "converted_at")
    list_select_related = (
        "source__asset",
        "source__trading_account",
        "destination__asset",
    )
    ordering = ("-id",)
    search_help_text = "Id of a quote, or of a trading account, in full."
    searched_row_ids = ("source__trading_account_id",)
    searched_uuids = ("id",)

    @admin.display(description="Account")
    def account(self, row: ConversionQuote) -> str:
        """Whose wallets these are."""
        return str(row.source.trading_account)

    @admin.display(description="Sold")
    def sold(self, row: ConversionQuote) -> str:
        """With its currency."""
        return f"{plain(row.sell_amount)} {row.source.asset.code}"

    @admin.display(description="Bought")
    def bought(self, row: ConversionQuote) -> str:
        """With its currency."""
        return f"{plain(row.buy_amount)} {row.destination.asset.code}"


def _shown_rate(row: ConversionRate, *, is_inverse: bool) -> str:
    if row.pk is None:
        return "-"
    rate = plain(net_rate(row.rate, row.spread_rate, is_inverse=is_inverse))
    base, quote = row.base.code, row.quote.code
    return f"{rate} {base} for a {quote}" if is_inverse else f"{rate} {quote} for a {base}"
