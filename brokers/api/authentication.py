"""Who sends an API request: three header forms, one lookup."""

from collections.abc import Mapping

from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from brokers.services.authentication import authenticate_key
from brokers.types import Principal
from common.api.ratelimits import take_request
from common.errors import NotAuthenticated

_SCHEMES = ("bearer", "token")


def find_raw_key(authorization: str, x_api_key: str) -> str | None:
    """The key in the values of `Authorization` and `X-API-KEY`; None where there is none.

    Raises:
        NotAuthenticated: `Authorization` is there but of a form that the venue does not know.
    """
    if authorization:
        scheme, _, raw_key = authorization.partition(" ")
        raw_key = raw_key.strip()
        if scheme.lower() not in _SCHEMES or not raw_key:
            raise NotAuthenticated("Send the key as `Authorization: Bearer <key>`.")
        return raw_key
    return x_api_key.strip() or None


def authenticate_headers(headers: Mapping[str, str]) -> Principal | None:
    """The caller behind WSGI's names of the headers (`request.META`); None without any key.

    Raises:
        NotAuthenticated: the key is wrong, expired or revoked.
    """
    raw_key = find_raw_key(headers.get("HTTP_AUTHORIZATION", ""), headers.get("HTTP_X_API_KEY", ""))
    return None if raw_key is None else authenticate_key(raw_key)


def authenticate_request(request: HttpRequest) -> Principal | None:
    """`authenticate_headers`, counted against the key's rate limit.

    Raises:
        NotAuthenticated: the key is wrong, expired or revoked.
        Throttled: the key sends too many requests.
    """
    principal = authenticate_headers(request.META)
    if principal is not None and not principal.is_venue_admin:
        request.rate_limit = take_request(principal.key_id)  # type: ignore[attr-defined]
    return principal


class ApiKeyAuthentication(BaseAuthentication):
    """DRF's view of it: `request.user` stays None, `request.auth` is the `Principal`."""

    def authenticate(self, request: Request) -> tuple[None, Principal] | None:
        principal = authenticate_request(request._request)
        return None if principal is None else (None, principal)

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
