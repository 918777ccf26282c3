"""Brokers, the people in them, their clients' accounts, and the stops of their trading."""

from django.db import models
from django.db.models import Q

from brokers.models.people import User
from common.ids import new_uuid
from common.models import TimeStampedModel, money_field


class Funding(models.TextChoices):
    """How an account pays: PREFUNDED holds money before it trades, CREDIT may go below zero."""

    PREFUNDED = "PREFUNDED", "Prefunded"
    CREDIT = "CREDIT", "Credit"


class Broker(TimeStampedModel):
    """A firm that sends orders for its clients."""

    class Status(models.TextChoices):
        ACTIVE = "ACTIVE", "Active"
        SUSPENDED = "SUSPENDED", "Suspended"

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    name = models.CharField(max_length=100)
    status = models.CharField(max_length=9, choices=Status, default=Status.ACTIVE)
    default_funding = models.CharField(
        max_length=9,
        choices=Funding,
        default=Funding.CREDIT,
        help_text="Funding of the accounts that orders of this broker open.",
    )
    default_credit_limit = money_field(
        null=True,
        blank=True,
        help_text="Credit limit of these accounts in the venue's currency; empty = unlimited.",
    )
    is_self_registered = models.BooleanField(
        default=False, help_text="Made through POST /register; a reset of the venue removes it."
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="broker_default_credit_limit_positive",
                condition=Q(default_credit_limit__isnull=True) | Q(default_credit_limit__gte=0),
            )
        ]

    def __str__(self) -> str:
        return self.name


class Membership(TimeStampedModel):
    """A person in a firm, with a role."""

    class Role(models.TextChoices):
        OWNER = "OWNER", "Owner"
        TRADER = "TRADER", "Trader"
        VIEWER = "VIEWER", "Viewer"

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="memberships")
    broker = models.ForeignKey(Broker, on_delete=models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=6, choices=Role, default=Role.VIEWER)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "broker"], name="membership_once_per_broker")
        ]

    def __str__(self) -> str:
        return f"{self.user} at {self.broker}"


class TradingAccount(TimeStampedModel):
    """A client's account at a broker, found by `(broker, document_number)` or by id."""

    class Status(models.TextChoices):
        ACTIVE = "ACTIVE", "Active"
        SUSPENDED = "SUSPENDED", "Suspended"
        CLOSED = "CLOSED", "Closed"

    id = models.BigAutoField(primary_key=True)
    broker = models.ForeignKey(Broker, on_delete=models.PROTECT, related_name="accounts")
    document_number = models.CharField(
        max_length=20, help_text="The client's document, as the broker knows it."
    )
    owner = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="accounts", null=True, blank=True
    )
    funding = models.CharField(max_length=9, choices=Funding)
    credit_limit = money_field(
        null=True, blank=True, help_text="In the venue's currency; empty = unlimited."
    )
    status = models.CharField(max_length=9, choices=Status, default=Status.ACTIVE)
    is_sandbox = models.BooleanField(
        default=False,
        db_default=False,
        help_text="For tests of bots: prefixes of client_order_id force refusals and the like.",
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["broker", "document_number"], name="account_once_per_document"
            ),
            models.CheckConstraint(
                name="account_credit_limit_positive",
                condition=Q(credit_limit__isnull=True) | Q(credit_limit__gte=0),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id} ({self.document_number})"


class TradingStop(models.Model):
    """The canceling of what an account, or a broker's accounts, had open when they were stopped.

    It runs in the background, again and again until nothing is left; `ended_at` is empty meanwhile.
    """

    class Reason(models.TextChoices):
        ACCOUNT_SUSPENDED = "account_suspended", "Account suspended"
        ACCOUNT_CLOSED = "account_closed", "Account closed"
        BROKER_SUSPENDED = "broker_suspended", "Broker suspended"

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(
        TradingAccount, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    broker = models.ForeignKey(
        Broker, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    reason = models.CharField(max_length=20, choices=Reason)
    actor = models.CharField(max_length=100)
    created_at = models.DateTimeField(auto_now_add=True)
    canceled_count = models.PositiveIntegerField(default=0, help_text="Orders canceled so far.")
    open_count = models.PositiveIntegerField(
        null=True, blank=True, help_text="Orders open at the last look; empty: not looked yet."
    )
    looked_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(
        null=True, blank=True, help_text="When nothing was left, or trading was resumed."
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="trading_stop_of_one_subject",
                condition=Q(account__isnull=False, broker__isnull=True)
                | Q(account__isnull=True, broker__isnull=False),
            )
        ]
        indexes = [
            models.Index(fields=["id"], name="trading_stop_running", condition=Q(ended_at=None))
        ]

    def __str__(self) -> str:
        return f"{self.get_reason_display()} #{self.id}"
