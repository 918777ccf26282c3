"""Where a request comes from."""

from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request


def client_address(request: HttpRequest | Request) -> str:
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
