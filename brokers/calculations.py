"""Pure rules of webhooks: which addresses are sent to, and when to try again."""

from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

# Waits after the first, second, … failed attempt: a receiver may be away for two days.
RETRY_WAITS = (
    timedelta(seconds=1),
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=3),
    timedelta(hours=6),
    timedelta(hours=12),
    timedelta(hours=12),
    timedelta(hours=12),
)
ATTEMPTS_MAX = len(RETRY_WAITS) + 1

_URL_CHARACTERS_MAX = 500
_NAT64 = IPv6Network("64:ff9b::/96")


def retry_wait(attempts: int, jitter_percent: int) -> timedelta | None:
    """How long to wait after `attempts` failures, `jitter_percent` (0..25) longer; None: give up.

    The jitter keeps the deliveries of an outage from coming back all at once.
    """
    if attempts >= ATTEMPTS_MAX:
        return None
    return RETRY_WAITS[attempts - 1] * (100 + jitter_percent) / 100


def is_public_address(text: str) -> bool:
    """Whether an IP address lies in the public internet, also when it wraps an IPv4 address."""
    address = ip_address(text.partition("%")[0])
    inner = _embedded_ipv4(address)
    if inner is not None:
        return _is_public(inner)
    return _is_public(address)


def find_url_problem(url: str, *, allow_private: bool) -> str | None:
    """What keeps `url` from being a webhook's address, for people; None: nothing.

    Names are not looked up here: they are when a delivery connects.
    """
    if len(url) > _URL_CHARACTERS_MAX:
        return f"At most {_URL_CHARACTERS_MAX} characters."
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return "Only printable ASCII characters; write others as punycode or percent-encoded."
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "This is no URL."
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "An address that begins with http:// or https:// and names a host."
    if parts.username is not None or parts.password is not None:
        return "No user name or password in the address."
    if port == 0:
        return "Not port 0."
    if not allow_private and not _may_be_public(parts.hostname):
        return "Not an address of a private network or of this machine."
    return None


def _may_be_public(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return False
    try:
        return is_public_address(host)
    except ValueError:
        return True  # a name


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    return address.is_global and not address.is_multicast and not address.is_reserved


def _embedded_ipv4(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    """The IPv4 address that packets to this IPv6 address end up at."""
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)
