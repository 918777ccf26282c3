"""Who sends an API request: three header forms, of a key or of a person's access token."""

from collections.abc import Mapping

from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from brokers.services.access import authenticate_token
from brokers.services.authentication import authenticate_key
from brokers.services.tokens import is_token
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
        NotAuthenticated: the key or token is wrong, expired or revoked.
        UserSuspended, UserClosed: the person is shut out.
    """
    raw_key = find_raw_key(headers.get("HTTP_AUTHORIZATION", ""), headers.get("HTTP_X_API_KEY", ""))
    if raw_key is None:
        return None
    return authenticate_token(raw_key) if is_token(raw_key) else authenticate_key(raw_key)


def authenticate_request(request: HttpRequest) -> Principal | None:
    """`authenticate_headers`, counted against the rate limit of the key or the person.

    Raises:
        NotAuthenticated: the key or token is wrong, expired or revoked.
        UserSuspended, UserClosed: the person is shut out.
        Throttled: the key sends too many requests.
    """
    principal = authenticate_headers(request.META)
    if principal is not None and not principal.is_venue_admin:
        caller_id = principal.key_id or principal.user_id
        request.rate_limit = take_request(caller_id)  # type: ignore[attr-defined]
    return principal


class ApiKeyAuthentication(BaseAuthentication):
    """DRF's view of it: `request.user` stays None, `request.auth` is the `Principal`."""

    def authenticate(self, request: Request) -> tuple[None, Principal] | None:
        principal = authenticate_request(request._request)
        return None if principal is None else (None, principal)

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
