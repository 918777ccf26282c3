"""Tables of what came of orders beside themselves: deals' prices and results, refusals."""

from django.db import models

from common.models import money_field


class DealPrice(models.Model):
    """The market price at which a dealer trade was made: whose it was, of when, and how old."""

    trade = models.OneToOneField(
        "orders.Trade", on_delete=models.PROTECT, primary_key=True, related_name="deal_price"
    )
    source = models.CharField(max_length=40)
    as_of = models.DateTimeField(help_text="The market's own time of the price.")
    age_seconds = models.PositiveIntegerField(help_text="Since the price service had told it.")
    is_simulated = models.BooleanField()

    def __str__(self) -> str:
        return f"{self.source} at {self.as_of}"


class DealResult(models.Model):
    """What the account had right after a deal in a perpetual: a repeated request answers it."""

    trade = models.OneToOneField(
        "orders.Trade", on_delete=models.PROTECT, primary_key=True, related_name="deal_result"
    )
    cash_balance = money_field(help_text="The collateral.")
    holding = money_field(help_text="The position.")

    def __str__(self) -> str:
        return f"{self.holding} on {self.cash_balance}"


class OrderRefusal(models.Model):
    """The facts of a refused order, as they were answered: amounts as texts, ids as numbers."""

    order = models.OneToOneField(
        "orders.Order",
        on_delete=models.PROTECT,
        primary_key=True,
        related_name="refusal",
        db_constraint=False,
    )
    facts = models.JSONField()

    def __str__(self) -> str:
        return f"{self.facts}"
