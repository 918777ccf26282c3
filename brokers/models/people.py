"""People who log in, and the rights of staff among them."""

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import Group, Permission, PermissionsMixin
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from common.ids import new_uuid
from common.limits import LINE_LENGTH_MAX
from common.models import TimeStampedModel


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
        permissions = [("stop_user", "Can suspend, activate and close people")]

    def __str__(self) -> str:
        return self.email

    @property
    def is_active(self) -> bool:  # type: ignore[override]
        """What Django's logins ask for; the database has `status` alone."""
        return self.status == User.Status.ACTIVE


class StaffRightsRequest(models.Model):
    """The rights that one person wants a person or a group to have; another person decides.

    A person's are the two flags, the groups and single permissions; a group's its permissions.
    """

    class Status(models.TextChoices):
        REQUESTED = "REQUESTED", "Requested"
        APPROVED = "APPROVED", "Approved"
        REJECTED = "REJECTED", "Rejected"

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="rights_requests", null=True, blank=True
    )
    group = models.ForeignKey(
        Group, on_delete=models.CASCADE, related_name="+", null=True, blank=True
    )
    is_staff = models.BooleanField(default=False, help_text="May log in to the back office.")
    is_superuser = models.BooleanField(default=False, help_text="Has every right.")
    groups = models.ManyToManyField(Group, related_name="+", blank=True)
    permissions = models.ManyToManyField(Permission, related_name="+", blank=True)
    reason = models.CharField(max_length=LINE_LENGTH_MAX)
    requested_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    status = models.CharField(max_length=9, choices=Status, default=Status.REQUESTED)
    decided_by = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    note = models.CharField(max_length=LINE_LENGTH_MAX, blank=True, default="")

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="rights_request_of_one_subject",
                condition=Q(user__isnull=False, group__isnull=True)
                | Q(user__isnull=True, group__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"rights of {self.user or self.group}"
