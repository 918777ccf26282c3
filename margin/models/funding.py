"""Funding: what the book was worth against the index, the rates, and who paid whom. Facts."""

from django.db import models
from django.db.models import Q

from brokers.models import TradingAccount
from common.models import money_field, rate_field
from marketdata.models import Instrument


class PremiumSample(models.Model):
    """How far a perpetual's book traded from its index in one minute, as a share of the index."""

    instrument = models.ForeignKey(
        Instrument, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    at = models.DateTimeField(help_text="The minute, at its begin.")
    premium_rate = money_field()
    impact_bid = money_field()
    impact_ask = money_field()
    index_price = money_field()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["instrument", "at"], name="premium_sample_once_a_minute"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.premium_rate} at {self.at}"


class Funding(models.Model):
    """One interval's funding of a perpetual: its rate, and what all positions pay and get by it.

    Written by the engine with its payments in one transaction, which fixes them; they are booked
    right after it. Its id is that of the command, made of instrument and `due_at`.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    instrument = models.ForeignKey(
        Instrument, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    due_at = models.DateTimeField(help_text="The end of the interval.")
    rate = rate_field(help_text="Positive: longs pay shorts.")
    sample_count = models.PositiveIntegerField()
    mark_price = money_field()
    paid = money_field(help_text="By all who pay.")
    received = money_field(help_text="By all who get.")
    remainder = money_field(help_text="What rounding leaves: the insurance fund's.")
    fixed_at = models.DateTimeField()
    booked_at = models.DateTimeField(null=True, blank=True, help_text="When the last was booked.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["instrument", "due_at"], name="funding_once"),
            models.CheckConstraint(
                name="funding_paid_is_received",
                condition=Q(paid=models.F("received") + models.F("remainder"))
                & Q(paid__gte=0, received__gte=0, remainder__gte=0),
            ),
        ]
        indexes = [
            models.Index(
                fields=["due_at"],
                condition=Q(booked_at__isnull=True),
                name="funding_to_book",
            )
        ]

    def __str__(self) -> str:
        return f"{self.rate} at {self.due_at}"


class FundingPayment(models.Model):
    """What one position paid (negative) or got in one funding, in the quote asset."""

    id = models.BigAutoField(primary_key=True)
    funding = models.ForeignKey(
        Funding, on_delete=models.PROTECT, related_name="payments", db_index=False
    )
    account = models.ForeignKey(
        TradingAccount, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    quantity = money_field(help_text="Of the position: positive is long.")
    amount = money_field()
    entry_id = models.UUIDField(help_text="The journal entry that books it.")
    booked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["funding", "account"], name="funding_payment_once"),
        ]
        indexes = [
            models.Index(fields=["account", "-id"], name="funding_payment_of_account"),
            models.Index(
                fields=["funding", "account"],
                condition=Q(booked_at__isnull=True),
                name="funding_payment_to_book",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} of {self.account_id}"
