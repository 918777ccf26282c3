"""Changing one currency into another at a quoted rate, through the conversion account."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from common.ids import new_uuid
from common.models import TimeStampedModel, money_field, rate_field
from ledger.models.accounts import LedgerAccount
from ledger.models.journal import JournalEntry
from marketdata.models import Asset


class ConversionRate(TimeStampedModel):
    """What one unit of `base` is worth in `quote`; the venue takes `spread_rate` either way.

    The inverse pair follows from it and has no row of its own.
    """

    base = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="+")
    quote = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="+")
    rate = models.DecimalField(max_digits=38, decimal_places=18)
    spread_rate = rate_field(
        default=0, help_text="Share of the amount that the venue keeps: 0.002 is 20 basis points."
    )
    is_active = models.BooleanField(default=True)
    follows_market = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Each quote is at the rate of the price services; the rate here counts where "
        "none of them knows the pair.",
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["base", "quote"], name="conversion_rate_once"),
            models.CheckConstraint(
                name="conversion_rate_valid",
                condition=Q(rate__gt=0, spread_rate__gte=0, spread_rate__lt=1)
                & ~Q(base=F("quote")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.base} in {self.quote}"


class ConversionQuote(models.Model):
    """A rate that holds for a few seconds; used at most once, by the entry that it names."""

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    source = models.ForeignKey(LedgerAccount, on_delete=models.PROTECT, related_name="+")
    destination = models.ForeignKey(LedgerAccount, on_delete=models.PROTECT, related_name="+")
    sell_amount = money_field()
    buy_amount = money_field()
    rate = models.DecimalField(
        max_digits=38, decimal_places=18, help_text="Bought units for one sold unit, with spread."
    )
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    entry = models.ForeignKey(
        JournalEntry, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    converted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["source", "-id"], name="quote_of_source")]
        constraints = [
            models.CheckConstraint(
                name="quote_amounts_positive", condition=Q(sell_amount__gt=0, buy_amount__gt=0)
            ),
            models.CheckConstraint(
                name="quote_converted_by_entry",
                condition=Q(entry__isnull=True, converted_at__isnull=True)
                | Q(entry__isnull=False, converted_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sell_amount} for {self.buy_amount}"
