"""Tokens that mails carry: who has one reads the mail of that address. Nothing of them is stored.

A token that verifies an address names it, and ends with another address. A token that resets a
password ends when it was used, and with the next login.
"""

from datetime import timedelta
from uuid import UUID

from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core.signing import BadSignature, TimestampSigner

from brokers.errors import InvalidMailToken
from brokers.models import User

VERIFICATION_LIFETIME = timedelta(days=3)

_reset_tokens = PasswordResetTokenGenerator()
_signer = TimestampSigner(salt="brokers.email-verification")


def make_verification_token(user: User) -> str:
    """A token that verifies the person's present address, for three days."""
    return _signer.sign_object([user.pk.hex, user.email])


def read_verification_token(token: str) -> tuple[UUID, str]:
    """The person and the address of a token of ours.

    Raises:
        InvalidMailToken: it is foreign or expired.
    """
    try:
        user_hex, email = _signer.unsign_object(token, max_age=VERIFICATION_LIFETIME)
    except (BadSignature, ValueError) as error:
        raise InvalidMailToken() from error
    return UUID(user_hex), email


def make_reset_token(user: User) -> str:
    """A token that sets a new password once, for PASSWORD_RESET_TIMEOUT seconds."""
    return f"{user.pk.hex}-{_reset_tokens.make_token(user)}"


def read_reset_token(token: str) -> UUID:
    """The person that a token names; not whether it is genuine, see `check_reset_token`.

    Raises:
        InvalidMailToken: it names nobody.
    """
    try:
        return UUID(hex=token.partition("-")[0])
    except ValueError as error:
        raise InvalidMailToken() from error


def check_reset_token(user: User, token: str) -> None:
    """See that a token is the person's, and neither used nor expired.

    Raises:
        InvalidMailToken: it is not.
    """
    if not _reset_tokens.check_token(user, token.partition("-")[2]):
        raise InvalidMailToken()
