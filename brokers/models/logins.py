"""Who tried to log in, from where, and what came of it. Addresses lie in a table of their own."""

from django.db import models
from django.db.models import Q

from brokers.models.people import User


class NetworkAddress(models.Model):
    """A network address that people logged in from. Deleting it leaves their history without it."""

    address = models.CharField(max_length=64, unique=True)
    first_seen_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "network addresses"

    def __str__(self) -> str:
        return f"address {self.pk}"


class LoginAttempt(models.Model):
    """One password that was tried. `user` is empty where nobody has the email address."""

    class Channel(models.TextChoices):
        BACK_OFFICE = "BACK_OFFICE", "Back office"
        API = "API", "API"
        PASSWORD = "PASSWORD", "Change of password"

    class Outcome(models.TextChoices):
        SUCCEEDED = "SUCCEEDED", "Succeeded"
        WRONG = "WRONG", "Wrong password"
        SHUT_OUT = "SHUT_OUT", "Suspended or closed"
        LOCKED = "LOCKED", "Locked: too many attempts"

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(auto_now_add=True)
    user = models.ForeignKey(
        User, on_delete=models.CASCADE, related_name="login_attempts", null=True, db_index=False
    )
    address = models.ForeignKey(
        NetworkAddress, on_delete=models.SET_NULL, related_name="+", null=True
    )
    channel = models.CharField(max_length=11, choices=Channel)
    outcome = models.CharField(max_length=9, choices=Outcome)

    class Meta:
        indexes = [
            models.Index(fields=["user", "-id"], name="login_attempt_of_user"),
            models.Index(
                fields=["user", "address"],
                name="login_success_from",
                condition=Q(outcome="SUCCEEDED"),
            ),
            models.Index(fields=["at"], name="login_attempt_at"),
        ]

    def __str__(self) -> str:
        return f"{self.get_outcome_display()} #{self.pk}"
