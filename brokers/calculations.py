"""Pure rules of webhooks: which addresses are sent to, and when to try again."""

import re
from datetime import timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
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
# What is delivered in the public internet: of IPv6 the unicast space that is assigned at all, less
# what https://www.iana.org/assignments/iana-ipv6-special-registry says is not reached globally.
# `is_global` of the standard library knows fewer of these blocks, and all else for global.
_IPV6_UNICAST = IPv6Network("2000::/3")
_IPV6_SPECIAL = tuple(
    IPv6Network(block)
    for block in (
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, whose relays are gone
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
_IPV4_SPECIAL = tuple(
    IPv4Network(block)
    for block in (
        "192.0.0.0/24",  # protocol assignments
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.175.48.0/24",  # AS112
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")
# A host whose last label is a number is one in some parser: 2130706433, 0x7f000001, 127.1. The URL
# standard (https://url.spec.whatwg.org/#ends-in-a-number-checker) draws the line there too.
_NUMERIC_LABEL = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")


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
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or _behind_nat64(address)
        if inner is None:
            return address in _IPV6_UNICAST and not any(address in one for one in _IPV6_SPECIAL)
        address = inner
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not any(address in one for one in _IPV4_SPECIAL)
    )


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
    """Whether a host may turn out to be public: an address that is, or a name."""
    if f".{host.removesuffix('.')}".endswith(".localhost"):
        return False
    try:
        return is_public_address(host)
    except ValueError:
        return not _is_numeric(host)


def _is_numeric(host: str) -> bool:
    """Whether resolvers may read a host as an IPv4 address, although it is not written as one."""
    return _NUMERIC_LABEL.fullmatch(host.removesuffix(".").rpartition(".")[2]) is not None


def _behind_nat64(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a translator sends packets to this IPv6 address on to."""
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None
