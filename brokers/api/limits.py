"""Limits of what strangers may call: by network address and by email address."""

from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from rest_framework.request import Request

from common.attempts import take_attempt

_MINUTE, _HOUR = 60, 3600
_ADDRESS_FACTOR = 3
MAILS_PER_HOUR = 5


def take_address_attempt(request: Request) -> None:
    """Count a request of its network address against AUTH_ATTEMPTS_PER_MINUTE, three times that.

    Raises:
        Throttled: there were too many.
    """
    limit = settings.AUTH_ATTEMPTS_PER_MINUTE * _ADDRESS_FACTOR
    _take("address", client_address(request), limit, _MINUTE)


def take_email_attempt(email: str) -> None:
    """Count an attempt at an email address against AUTH_ATTEMPTS_PER_MINUTE, whosever it is.

    Raises:
        Throttled: there were too many.
    """
    _take("email", email.lower(), settings.AUTH_ATTEMPTS_PER_MINUTE, _MINUTE)


def take_mail(email: str) -> None:
    """Count a mail to an email address that somebody asked for: five an hour.

    Raises:
        Throttled: there were too many.
    """
    _take("mail", email.lower(), MAILS_PER_HOUR, _HOUR)


def client_address(request: Request) -> str:
    """The network address behind PROXY_COUNT proxies; of IPv6 the /64, since one host has it all.

    Of X-Forwarded-For only what our own proxies have added counts.
    """
    hops = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    count = settings.PROXY_COUNT
    told = hops[-count] if 0 < count <= len(hops) else ""
    try:
        address = ip_address(told or request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return told
    if isinstance(address, IPv6Address):
        network = ip_network((address, 64), strict=False)
        return str(address.ipv4_mapped or network)
    return str(address)


def _take(what: str, who: str, limit: int, window_seconds: int) -> None:
    if settings.AUTH_ATTEMPTS_PER_MINUTE > 0:
        take_attempt(what, who, limit=limit, window_seconds=window_seconds)
