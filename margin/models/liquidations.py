"""Liquidations that happened, step by step, and the warnings before. Facts."""

from django.db import models
from django.db.models import Q

from brokers.models import TradingAccount
from common.models import money_field, rate_field
from marketdata.models import Asset, Instrument


class Liquidation(models.Model):
    """What was done to an account whose equity fell below its maintenance margin, and why.

    Written by the engine, whole, in the transaction of its effects. Its id is that of the command,
    so that no command acts twice. All amounts in the quote asset `asset`.
    """

    class Outcome(models.TextChoices):
        RESTORED = "RESTORED", "Brought back above the maintenance margin"
        CLOSED = "CLOSED", "All positions closed"

    id = models.UUIDField(primary_key=True, editable=False)
    account = models.ForeignKey(
        TradingAccount, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="+", db_index=False)
    outcome = models.CharField(max_length=8, choices=Outcome)
    collateral_before = money_field()
    collateral_after = money_field()
    equity_before = money_field()
    equity_after = money_field()
    maintenance_margin_before = money_field()
    maintenance_margin_after = money_field()
    fee = money_field(help_text="What the insurance fund got out of what was left.")
    fund_result = money_field(
        help_text="What the insurance fund won or lost at the marks, fee and bad debt included."
    )
    bad_debt = money_field(help_text="Loss beyond zero that nobody else could bear.")
    executed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="liquidation_below_maintenance",
                condition=Q(equity_before__lt=models.F("maintenance_margin_before")),
            ),
            models.CheckConstraint(
                name="liquidation_leaves_no_debt", condition=Q(equity_after__gte=0)
            ),
            models.CheckConstraint(
                name="liquidation_amounts_not_negative", condition=Q(fee__gte=0, bad_debt__gte=0)
            ),
        ]
        indexes = [models.Index(fields=["account", "-id"], name="liquidation_of_account")]

    def __str__(self) -> str:
        return f"liquidation of {self.account_id} at {self.executed_at}"


class LiquidationStep(models.Model):
    """One step of a liquidation, with what the account had before and after it."""

    class Kind(models.TextChoices):
        FREEZE = "FREEZE", "New orders frozen"
        CANCEL_ORDERS = "CANCEL_ORDERS", "Open orders canceled"
        CLOSE_ON_BOOK = "CLOSE_ON_BOOK", "Closed on the book"
        TAKEOVER = "TAKEOVER", "Taken over by the insurance fund"
        DELEVERAGE = "DELEVERAGE", "Closed against the other side"
        FEE = "FEE", "Liquidation fee"
        BAD_DEBT = "BAD_DEBT", "Bad debt"
        UNFREEZE = "UNFREEZE", "New orders allowed again"

    liquidation = models.ForeignKey(
        Liquidation, on_delete=models.PROTECT, related_name="steps", db_index=False
    )
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=13, choices=Kind)
    instrument = models.ForeignKey(
        Instrument, on_delete=models.PROTECT, related_name="+", null=True, db_index=False
    )
    quantity = money_field(
        null=True, help_text="What was closed (positive: bought), or the number of orders canceled."
    )
    price = money_field(null=True, help_text="Mean price of what was closed, in the quote asset.")
    mark_price = money_field(null=True)
    amount = money_field(default=0, help_text="Fee or bad debt.")
    counterparty = models.ForeignKey(
        TradingAccount, on_delete=models.PROTECT, related_name="+", null=True, db_index=False
    )
    order_id = models.UUIDField(null=True, help_text="The order with which it was closed.")
    equity_before = money_field()
    equity_after = money_field()
    maintenance_margin_before = money_field()
    maintenance_margin_after = money_field()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["liquidation", "number"], name="liquidation_step_once"),
        ]

    def __str__(self) -> str:
        return f"{self.number}. {self.kind}"


class MarginCall(models.Model):
    """A warning: an account's margin ratio went above a level. Resolved when it is below again."""

    account = models.ForeignKey(
        TradingAccount, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="+", db_index=False)
    level = rate_field(help_text="The margin ratio from which on it is called.")
    equity = money_field()
    maintenance_margin = money_field()
    raised_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "asset", "level"],
                condition=Q(resolved_at__isnull=True),
                name="margin_call_open_once",
            ),
            models.CheckConstraint(name="margin_call_level_positive", condition=Q(level__gt=0)),
        ]
        indexes = [models.Index(fields=["account", "-id"], name="margin_call_of_account")]

    def __str__(self) -> str:
        return f"{self.account_id} above {self.level}"
