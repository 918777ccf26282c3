"""Tables of people, brokers, keys, trading accounts and webhooks. No business logic."""

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from common.ids import new_uuid
from common.models import TimeStampedModel, money_field


class UserManager(BaseUserManager["User"]):
    """Makes users that log in with an email address."""

    def _create(self, email: str, password: str | None, **fields: Any) -> "User":
        if not email:
            raise ValueError("An email address is required")
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self._create(email, password, **fields)

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self._create(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email__iexact=username)


class User(AbstractBaseUser, PermissionsMixin, TimeStampedModel):
    """A person with an email login."""

    class Status(models.TextChoices):
        ACTIVE = "ACTIVE", "Active"
        SUSPENDED = "SUSPENDED", "Suspended"
        CLOSED = "CLOSED", "Closed"

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    email = models.EmailField(unique=True)
    full_name = models.CharField(max_length=150, blank=True)
    is_staff = models.BooleanField(default=False, help_text="May log in to the back office.")
    status = models.CharField(max_length=9, choices=Status, default=Status.ACTIVE)
    status_changed_at = models.DateTimeField(null=True, blank=True)
    email_verified_at = models.DateTimeField(null=True, blank=True)
    password_changed_at = models.DateTimeField(
        null=True, blank=True, help_text="By the person; what staff set stands in their log."
    )

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_once_any_case")]

    def __str__(self) -> str:
        return self.email

    @property
    def is_active(self) -> bool:  # type: ignore[override]
        """What Django's logins ask for; the database has `status` alone."""
        return self.status == User.Status.ACTIVE


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

    class Meta:
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.prefix}…"


class WebhookEndpoint(TimeStampedModel):
    """Where a broker wants its events delivered."""

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    broker = models.ForeignKey(Broker, on_delete=models.PROTECT, related_name="webhook_endpoints")
    url = models.URLField(max_length=500)
    is_active = models.BooleanField(default=True)

    def __str__(self) -> str:
        return self.url


class WebhookDelivery(models.Model):
    """One event for one endpoint: written in the event's transaction, delivered after commit.

    `due_at` is empty when nothing is to be done any more: delivered or given up.
    """

    id = models.BigAutoField(primary_key=True)
    endpoint = models.ForeignKey(
        WebhookEndpoint, on_delete=models.PROTECT, related_name="deliveries"
    )
    event = models.CharField(max_length=40)
    payload = models.TextField(help_text="The body, byte for byte as it is sent.")
    created_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    delivered_at = models.DateTimeField(null=True, blank=True)
    last_status = models.PositiveSmallIntegerField(null=True, blank=True)
    last_error = models.CharField(max_length=200, blank=True, default="", db_default="")

    class Meta:
        verbose_name_plural = "webhook deliveries"
        indexes = [
            models.Index(
                fields=["endpoint", "due_at"],
                name="delivery_due_of_endpoint",
                condition=Q(due_at__isnull=False),
            ),
            models.Index(fields=["endpoint", "-id"], name="delivery_of_endpoint"),
        ]

    def __str__(self) -> str:
        return f"{self.event} #{self.id}"
