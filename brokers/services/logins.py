"""Passwords that are tried: counted before they are hashed, and kept in the login history.

An attempt counts for its network address and the account that it names, and for the address. So a
stranger who guesses locks out that stranger. Against many of them the account has a limit too, to
which each address adds a few; it does not hold for addresses that the person has logged in from,
or has reset the password from.
"""

import logging
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from brokers.errors import WrongCredentials
from brokers.models import LoginAttempt, NetworkAddress, User
from brokers.selectors import find_user_by_email
from brokers.services.tokens import TokenPair, check_user_active, make_tokens
from common.attempts import count_attempts, take_attempt
from common.errors import ExchangeError, Throttled
from common.purging import purge_rows

_log = logging.getLogger("bourse.logins")

Channel = LoginAttempt.Channel
Outcome = LoginAttempt.Outcome

_MINUTE, _HOUR = 60, 3600
_ADDRESS_FACTOR = 3
_ACCOUNT_FACTOR = 10
_ADDRESS_LENGTH_MAX = 64


def check_credentials(*, email: str, password: str, address: str, channel: Channel) -> User:
    """The person of an email address and its password. Takes as long for an unknown address.

    Raises:
        Throttled: there were too many attempts; nothing is hashed.
        PasswordsBusy: too many are being hashed.
        WrongCredentials: there is no such person, or the password is another one.
        UserSuspended, UserClosed: the password is right, but the person may not come in.
    """
    user = find_user_by_email(email)
    _take(user, email.lower(), address, channel)
    if user is None:
        User().set_password(password)  # the time that checking it would take
        is_right = False
    else:
        is_right = user.check_password(password)
    if user is None or not is_right:
        _record(user, address, channel, Outcome.WRONG)
        raise WrongCredentials()
    try:
        check_user_active(user.status)
    except ExchangeError:
        _record(user, address, channel, Outcome.SHUT_OUT)
        raise
    _record(user, address, channel, Outcome.SUCCEEDED)
    return user


def log_in(*, email: str, password: str, address: str = "") -> TokenPair:
    """Tokens for an email address and its password, sent from a network address.

    Raises:
        Throttled, PasswordsBusy, WrongCredentials, UserSuspended, UserClosed: see
            `check_credentials`.
    """
    user = check_credentials(email=email, password=password, address=address, channel=Channel.API)
    return make_tokens(user=user)


def take_password_attempt(*, user_id: UUID, address: str) -> None:
    """Count an attempt of somebody who is logged in, or has a mailed token, to set a password.

    Raises:
        Throttled: there were too many from this address for this person.
    """
    user = User.objects.filter(pk=user_id).first()
    with _Noting(user, address, Channel.PASSWORD):
        _take_one("password", f"{address} {user_id}", settings.AUTH_ATTEMPTS_PER_MINUTE, _MINUTE)


def note_reset(*, user_id: UUID, address: str) -> None:
    """Keep that a person has set a password by a mailed token: the address is known from now on."""
    _record(User.objects.get(pk=user_id), address, Channel.PASSWORD, Outcome.SUCCEEDED)


def take_address_attempt(address: str) -> None:
    """Count what a stranger asks for, whatever it is, against three times the limit of attempts.

    Raises:
        Throttled: there were too many from this address.
    """
    limit = settings.AUTH_ATTEMPTS_PER_MINUTE * _ADDRESS_FACTOR
    _take_one("address", address, limit, _MINUTE)


def purge_login_attempts() -> int:
    """Delete the history that is older than LOGIN_HISTORY_KEPT_DAYS, and addresses without any."""
    until = timezone.now() - timedelta(days=settings.LOGIN_HISTORY_KEPT_DAYS)
    purged = purge_rows(LoginAttempt.objects.filter(at__lt=until).order_by("at"))
    kept = LoginAttempt.objects.filter(address__isnull=False).values("address")
    NetworkAddress.objects.filter(first_seen_at__lt=until).exclude(pk__in=kept).delete()
    return purged


def _take(user: User | None, email: str, address: str, channel: Channel) -> None:
    """Count an attempt for address and account, and for the account where the address is new."""
    limit = settings.AUTH_ATTEMPTS_PER_MINUTE
    with _Noting(user, address, channel):
        _take_one("login", f"{address} {email}", limit, _MINUTE)
        if limit > 0 and not _is_known(user, address):
            of_address = count_attempts("login-hour", f"{address} {email}", window_seconds=_HOUR)
            take_attempt(
                "login-account",
                email,
                limit=limit * _ACCOUNT_FACTOR,
                window_seconds=_HOUR,
                is_counted=of_address <= limit,
            )


def _take_one(what: str, who: str, limit: int, window_seconds: int) -> None:
    if limit > 0:
        take_attempt(what, who, limit=limit, window_seconds=window_seconds)


def _is_known(user: User | None, address: str) -> bool:
    """Whether the person has logged in, or reset the password, from the address before."""
    return (
        user is not None
        and LoginAttempt.objects.filter(
            user=user, address__address=address, outcome=Outcome.SUCCEEDED
        ).exists()
    )


class _Noting:
    """Notes a lock-out: once where it begins, so that who hammers on writes no more."""

    def __init__(self, user: User | None, address: str, channel: Channel) -> None:
        self._user = user
        self._address = address
        self._channel = channel

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, Throttled) and error.is_first:
            attempt = _record(self._user, self._address, self._channel, Outcome.LOCKED)
            _log.warning(
                "login locked: attempt=%s user=%s address=%s",
                attempt.pk,
                attempt.user_id or "-",
                attempt.address_id or "-",
            )


def _record(user: User | None, address: str, channel: Channel, outcome: Outcome) -> LoginAttempt:
    seen = None
    if address:
        seen, _ = NetworkAddress.objects.get_or_create(address=address[:_ADDRESS_LENGTH_MAX])
    return LoginAttempt.objects.create(user=user, address=seen, channel=channel, outcome=outcome)
