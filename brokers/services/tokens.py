"""JSON Web Tokens of people: short-lived access tokens, and refresh tokens that work once.

Each token names a person and the session hash of the password that it was made under: with another
password all of them end, however that came about. A refresh token is replaced at each use; its
successors share the beginning of its `jti`, the family. The tokens themselves are not stored, only
their ids.

Two tabs of a browser may send one token at the same time, and an answer may get lost. So a token
that was used a few seconds ago is answered with the successor of its first use, for as long as that
one is unused. Whoever sends a used one later may have stolen it, so then the whole family ends.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.contrib.auth.models import update_last_login
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token

from brokers.errors import InvalidToken, UserClosed, UserSuspended
from brokers.locks import lock_token_family
from brokers.models import User
from common.database import retry_on_conflict

TOKEN_CHARACTERS_MAX = 2_000
# How long after its first use a refresh token is answered with the same successor.
REUSE_GRACE = timedelta(seconds=10)

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
    return _issue(user, jti=f"{uuid4().hex}{uuid4().hex}")


def refresh_tokens(*, refresh: str) -> TokenPair:
    """New tokens for a refresh token, which ends with this; the same one within REUSE_GRACE.

    Raises:
        InvalidToken: it is foreign, expired, ended or used before. If so, its successors end.
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
    family = _family(_decode(_UsedRefreshToken, refresh))
    lock_token_family(family)
    _end(jti__startswith=family)


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
    """The successors of a refresh token; None when it was used before, and its family is ended."""
    token = _decode(_UsedRefreshToken, raw_token)
    lock_token_family(_family(token))
    user = User.objects.filter(pk=_user_id(token)).first()
    known = OutstandingToken.objects.filter(jti=token["jti"]).first()
    if user is None or known is None:
        raise InvalidToken()
    if not constant_time_compare(_session_hash(token), session_hash_of(user)):
        raise InvalidToken()
    check_user_active(user.status)
    used, is_first_use = BlacklistedToken.objects.get_or_create(token=known)
    if is_first_use:
        return _issue(user, jti=_successor_jti(token))
    successor = _find_unused(_successor_jti(token))
    if successor is None or used.blacklisted_at < timezone.now() - REUSE_GRACE:
        _end(jti__startswith=_family(token))
        return None
    return _write(user, successor)


def _successor_jti(token: Token) -> str:
    """The id of the token that follows this one: known again when the token is sent again."""
    follower = salted_hmac("brokers.tokens.successor", token["jti"], algorithm="sha256")
    return f"{_family(token)}{follower.hexdigest()[:_FAMILY_CHARACTERS]}"


def _find_unused(jti: str) -> OutstandingToken | None:
    return OutstandingToken.objects.filter(jti=jti, blacklistedtoken__isnull=True).first()


def _issue(user: User, *, jti: str) -> TokenPair:
    now = timezone.now()
    row = OutstandingToken.objects.create(
        user=user,
        jti=jti,
        token="",  # a table that leaks shall not be a bunch of logins
        created_at=now,
        expires_at=(now + RefreshToken.lifetime).replace(microsecond=0),
    )
    return _write(user, row)


def _write(user: User, row: OutstandingToken) -> TokenPair:
    """The refresh token of a row, the same text each time, and a new access token."""
    refresh = RefreshToken()
    refresh["jti"] = row.jti
    refresh.set_iat(at_time=row.created_at)
    refresh.set_exp(from_time=row.expires_at, lifetime=timedelta())
    refresh["user_id"] = str(user.pk)
    refresh["session"] = session_hash_of(user)
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
