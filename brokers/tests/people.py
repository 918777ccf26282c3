"""Registered people for tests, and their calls."""

from typing import Any

from django.test import Client

from brokers.services import RegisteredPerson, TokenPair, log_in, register_person

PASSWORD = "a-long-test-password"
OTHER_PASSWORD = "another-long-password"


def register(email: str = "ada@example.test", **options: Any) -> RegisteredPerson:
    """A person with an account at the retail broker."""
    return register_person(email=email, password=PASSWORD, **options)


def tokens_of(person: RegisteredPerson, password: str = PASSWORD) -> TokenPair:
    """A login of the person."""
    return log_in(email=person.user.email, password=password)


def bearer(token: str) -> dict[str, str]:
    """The header that carries a token or a key."""
    return {"Authorization": f"Bearer {token}"}


def headers_of(person: RegisteredPerson) -> dict[str, str]:
    """The header of a new login."""
    return bearer(tokens_of(person).access)


def send(client: Client, path: str, body: object = None, *, method: str = "post", **kw: Any) -> Any:
    """Call `/api/v1/auth/<path>`."""
    call = getattr(client, method)
    return call(f"/api/v1/auth/{path}", body or {}, content_type="application/json", **kw)
