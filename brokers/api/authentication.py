"""Who sends an API request: three header forms, of a key or of a person's access token."""

from typing import Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from brokers.services.access import authenticate_token
from brokers.services.authentication import authenticate_key
from brokers.services.tokens import is_token
from brokers.types import Principal
from common.api.ratelimits import Bucket, take_request
from common.errors import NotAuthenticated, Throttled

_SCHEMES = ("bearer", "token")


def find_raw_key(authorization: str, x_api_key: str) -> str | None:
    """The key in the values of `Authorization` and `X-API-KEY`; None where there is none.

    Beside a key in `X-API-KEY`, `Authorization` may be of another form: a proxy's own login.

    Raises:
        NotAuthenticated: `Authorization` alone is there and of a form that the venue does not know.
    """
    x_api_key = x_api_key.strip()
    if authorization:
        scheme, _, raw_key = authorization.partition(" ")
        raw_key = raw_key.strip()
        if scheme.lower() in _SCHEMES and raw_key:
            return raw_key
        if not x_api_key:
            raise NotAuthenticated("Send the key as `Authorization: Bearer <key>`.")
    return x_api_key or None


def authenticate(authorization: str, x_api_key: str) -> Principal | None:
    """The caller behind the values of two headers; None without any key.

    Raises:
        NotAuthenticated: the key or token is wrong, expired or revoked.
        UserSuspended, UserClosed: the person is shut out.
    """
    raw_key = find_raw_key(authorization, x_api_key)
    if raw_key is None:
        return None
    return authenticate_token(raw_key) if is_token(raw_key) else authenticate_key(raw_key)


def count_request(request: Any, principal: Principal | None, view: Any) -> None:
    """Count a request against the rate limit of its key or person, kept as `request.rate_limit`.

    Cancels are counted apart (`rate_bucket` of the view, or of its methods), so that a caller who
    has sent too much can still take it back.

    Raises:
        Throttled: the key sends too many requests.
    """
    if principal is None or principal.is_venue_admin:
        return
    bucket = getattr(view, "rate_bucket", Bucket.REQUESTS)
    if isinstance(bucket, dict):
        bucket = bucket.get(request.method, Bucket.REQUESTS)
    try:
        request.rate_limit = take_request(principal.caller_id, bucket)
    except Throttled as refusal:
        request.rate_limit = refusal.rate_limit
        raise


class ApiKeyAuthentication(BaseAuthentication):
    """DRF's view of it: `request.user` stays None, `request.auth` is the `Principal`."""

    def authenticate(self, request: Request) -> tuple[None, Principal] | None:
        headers = request.META
        principal = authenticate(
            headers.get("HTTP_AUTHORIZATION", ""), headers.get("HTTP_X_API_KEY", "")
        )
        count_request(request._request, principal, request.parser_context.get("view"))
        return None if principal is None else (None, principal)

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
