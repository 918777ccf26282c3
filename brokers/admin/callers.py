"""Who sits before the back office."""

from django.http import HttpRequest

from brokers.models import User


def caller_of(request: HttpRequest) -> User:
    """The member of staff who is logged in."""
    assert isinstance(request.user, User), "the back office is for people who are logged in"
    return request.user
