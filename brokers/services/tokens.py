"""JSON Web Tokens of people: short-lived access tokens, and refresh tokens that work once.

Each token names a person and the session hash of the password that it was made under: with another
password all of them end, however that came about. A refresh token is replaced at each use; its
successors share the beginning of its `jti`, the family. Who sends a used one again may have stolen
it, so then the whole family ends. The tokens themselves are not stored, only their ids.
"""

import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from django.contrib.auth.models import update_last_login
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token
from rest_framework_simplejwt.utils import datetime_from_epoch

from brokers.errors import InvalidToken, UserClosed, UserSuspended
from brokers.models import User
from common.database import retry_on_conflict

TOKEN_CHARACTERS_MAX = 2_000

# Three parts, of which the first is a JSON object that begins with a name. No key looks like it.
_FORM = re.compile(r"eyJ[\w-]*\.[\w-]*\.[\w-]*", re.ASCII)
_FAMILY_CHARACTERS = 32


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a login is answered with; `expires_in_seconds` is the access token's life."""

    access: str
    refresh: str
    expires_in_seconds: int


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What a genuine access token says."""

    user_id: UUID
    session_hash: str


def is_token(text: str) -> bool:
    """Whether `text` has the form of a JSON Web Token, be it a genuine one or not."""
    return _FORM.fullmatch(text) is not None


def read_access_token(raw_token: str) -> AccessClaims:
    """The claims of an access token of ours. Asks no database.

    Raises:
        InvalidToken: it is foreign, expired, or not for access.
    """
    token = _decode(AccessToken, raw_token)
    return AccessClaims(_user_id(token), _session_hash(token))


def check_user_active(status: str) -> None:
    """See that a person of this status may use the venue.

    Raises:
        UserSuspended: not at present.
        UserClosed: not any more.
    """
    if status == User.Status.SUSPENDED:
        raise UserSuspended()
    if status == User.Status.CLOSED:
        raise UserClosed()


def session_hash_of(user: User) -> str:
    """What ties a token to the person's present password; tells nothing of it."""
    return user.get_session_auth_hash()


@retry_on_conflict
@transaction.atomic
def make_tokens(*, user: User) -> TokenPair:
    """The first tokens of a login, of a person whose password was right."""
    update_last_login(None, user)  # type: ignore[arg-type]
    return _issue(user, family=uuid4().hex)


def refresh_tokens(*, refresh: str) -> TokenPair:
    """New tokens for a refresh token, which ends with this.

    Raises:
        InvalidToken: it is foreign, expired, ended or used. If it was used, its successors end.
        UserSuspended, UserClosed: the person may not come in; the token is not used up.
    """
    pair = _rotate(refresh)
    if pair is None:
        raise InvalidToken()
    return pair


@retry_on_conflict
@transaction.atomic
def log_out(*, refresh: str) -> None:
    """End a refresh token and what came of it. Once ended it stays so; saying it again is no error.

    Raises:
        InvalidToken: it is foreign or expired.
    """
    _end(jti__startswith=_family(_decode(_UsedRefreshToken, refresh)))


def end_tokens(*, user: User) -> None:
    """End all refresh tokens of a person, in the transaction of the caller."""
    _end(user=user)


def purge_expired_tokens() -> int:
    """Delete the rows of expired refresh tokens, ended or not; how many there were."""
    _, by_model = OutstandingToken.objects.filter(expires_at__lte=timezone.now()).delete()
    return by_model.get(OutstandingToken._meta.label, 0)


class _UsedRefreshToken(RefreshToken):
    """A refresh token of which it does not matter whether it is ended."""

    def check_blacklist(self) -> None:
        return None


@retry_on_conflict
@transaction.atomic
def _rotate(raw_token: str) -> TokenPair | None:
    """The successors of a refresh token; None when it was used, and then its family is ended.

    That only one of two users of a token gets successors is kept by the blacklist's unique row.
    """
    token = _decode(_UsedRefreshToken, raw_token)
    user = User.objects.filter(pk=_user_id(token)).first()
    known = OutstandingToken.objects.filter(jti=token["jti"]).first()
    if user is None or known is None:
        raise InvalidToken()
    if not constant_time_compare(_session_hash(token), session_hash_of(user)):
        raise InvalidToken()
    check_user_active(user.status)
    _, is_first_use = BlacklistedToken.objects.get_or_create(token=known)
    if not is_first_use:
        _end(jti__startswith=_family(token))
        return None
    return _issue(user, family=_family(token))


def _issue(user: User, *, family: str) -> TokenPair:
    refresh = RefreshToken()
    refresh["jti"] = f"{family}{uuid4().hex}"
    refresh["user_id"] = str(user.pk)
    refresh["session"] = session_hash_of(user)
    OutstandingToken.objects.create(
        user=user,
        jti=refresh["jti"],
        token="",  # a table that leaks shall not be a bunch of logins
        created_at=refresh.current_time,
        expires_at=datetime_from_epoch(refresh["exp"]),
    )
    access = refresh.access_token
    return TokenPair(str(access), str(refresh), access["exp"] - access["iat"])


def _end(**which: Any) -> None:
    """Put on the blacklist what is not yet there and has not expired."""
    living = OutstandingToken.objects.filter(
        blacklistedtoken__isnull=True, expires_at__gt=timezone.now(), **which
    )
    BlacklistedToken.objects.bulk_create(
        [BlacklistedToken(token=token) for token in living], ignore_conflicts=True
    )


def _decode(token_class: type[Token], raw_token: str) -> Token:
    if len(raw_token) > TOKEN_CHARACTERS_MAX or not is_token(raw_token):
        raise InvalidToken()
    try:
        return token_class(raw_token)  # type: ignore[arg-type]
    except TokenError as error:
        raise InvalidToken() from error


def _user_id(token: Token) -> UUID:
    try:
        return UUID(str(token["user_id"]))
    except (KeyError, ValueError) as error:
        raise InvalidToken() from error


def _session_hash(token: Token) -> str:
    return str(token.get("session", ""))


def _family(token: Token) -> str:
    return str(token["jti"])[:_FAMILY_CHARACTERS]
