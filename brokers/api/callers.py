"""The caller of a request, with its type."""

from typing import cast

from rest_framework.request import Request

from brokers.types import Principal


def caller_of(request: Request) -> Principal:
    """The principal behind an authenticated request."""
    return cast(Principal, request.auth)
