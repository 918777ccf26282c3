"""API keys and what they may do."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from brokers.models.firms import Broker, TradingAccount
from brokers.models.people import User
from common.ids import new_uuid
from common.models import TimeStampedModel


class Scope(models.TextChoices):
    """What a key may do."""

    READ = "read", "Read"
    TRADE = "trade", "Trade"
    TRANSFER = "transfer", "Transfer money"
    BOOK = "book", "Book executions"
    MARKS = "marks", "Post mark prices"
    ADMIN = "admin", "Administer the broker"


def default_scopes() -> list[str]:
    return [Scope.READ.value, Scope.TRADE.value]


class ApiKey(TimeStampedModel):
    """The secret of a program: shown once, stored and found by its SHA-256."""

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    broker = models.ForeignKey(Broker, on_delete=models.PROTECT, related_name="api_keys")
    account = models.ForeignKey(
        TradingAccount,
        on_delete=models.PROTECT,
        related_name="api_keys",
        null=True,
        blank=True,
        help_text="Binds the key to one account; empty = all accounts of the broker.",
    )
    name = models.CharField(max_length=100, blank=True)
    prefix = models.CharField(max_length=12, help_text="First characters of the key, for display.")
    key_hash = models.CharField(max_length=64, unique=True)
    scopes = ArrayField(models.CharField(max_length=8, choices=Scope), default=default_scopes)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    made_by = models.ForeignKey(
        User,
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
        blank=True,
        help_text="The member of staff who made it; empty: its broker or a person.",
    )
    waits_for_approval = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Made by staff: it works once another member of staff has approved it.",
    )

    class Meta:
        verbose_name = "API key"
        permissions = [("approve_apikey", "Can approve API keys that others made")]

    def __str__(self) -> str:
        return f"{self.prefix}…"
