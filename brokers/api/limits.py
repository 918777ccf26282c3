"""Limits of registrations and mails; attempts at passwords count in `brokers.services.logins`."""

from django.conf import settings

from common.attempts import take_attempt

_MINUTE, _HOUR = 60, 3600
MAILS_PER_HOUR = 5


def take_registration(email: str, address: str) -> None:
    """Count a registration of an email address from a network address.

    Raises:
        Throttled: there were too many.
    """
    _take("register", f"{address} {email.lower()}", settings.AUTH_ATTEMPTS_PER_MINUTE, _MINUTE)


def take_mail(email: str) -> None:
    """Count a mail to an email address that somebody asked for: five an hour.

    Raises:
        Throttled: there were too many.
    """
    _take("mail", email.lower(), MAILS_PER_HOUR, _HOUR)


def _take(what: str, who: str, limit: int, window_seconds: int) -> None:
    if settings.AUTH_ATTEMPTS_PER_MINUTE > 0:
        take_attempt(what, who, limit=limit, window_seconds=window_seconds)
