"""People who log in with an email address: taken in, named, suspended, closed."""

import base64
import secrets
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from brokers.errors import EmailTaken, UserClosed
from brokers.locks import lock_retail_broker, lock_user
from brokers.models import Broker, Funding, TradingAccount, User
from brokers.selectors import find_retail_broker, find_user_by_email
from brokers.services.access import forget_user
from brokers.services.accounts import create_account
from brokers.services.mails import queue_verification_mail
from brokers.services.tokens import end_tokens
from common.database import retry_on_conflict
from common.errors import FieldError, ValidationFailed
from oversight.services.records import record


@dataclass(frozen=True, slots=True)
class RegisteredPerson:
    """A new person and the own account at the retail broker."""

    user: User
    account: TradingAccount


def create_user(*, email: str, password: str, full_name: str = "") -> User:
    """Make a person with a login, but without any rights.

    Raises:
        EmailTaken: somebody has this address, in upper or lower case.
        ValidationFailed: the password is too weak.
    """
    if find_user_by_email(email):
        raise EmailTaken()
    check_password_strong(password, User(email=email, full_name=full_name), field="password")
    with transaction.atomic():
        return User.objects.create_user(email, password, full_name=full_name)


@retry_on_conflict
@transaction.atomic
def register_person(*, email: str, password: str, full_name: str = "") -> RegisteredPerson:
    """Make a person with an account at the retail broker, and mail a token that verifies the email.

    The first one of all makes the retail broker too, if the venue has none. `REGISTRATION_HOOK` of
    the settings is called with the account's id: what belongs to registering at this venue.

    Raises:
        EmailTaken: somebody has this address, in upper or lower case.
        ValidationFailed: the password is too weak.
    """
    user = create_user(email=email, password=password, full_name=full_name)
    broker = find_retail_broker() or _make_retail_broker()
    account = create_account(
        broker_id=broker.id, document_number=_new_document_number(), owner=user
    )
    queue_verification_mail(user)
    if settings.REGISTRATION_HOOK:
        import_string(settings.REGISTRATION_HOOK)(account.id)
    return RegisteredPerson(user, account)


def check_password_strong(password: str, user: User, *, field: str) -> None:
    """See that `user` may have this password; `field` is its name in the request.

    Raises:
        ValidationFailed: it is too short, too common, or too much like the person's data.
    """
    try:
        validate_password(password, user)
    except ValidationError as error:
        problems = [FieldError(field, "weak_password", text) for text in error.messages]
        raise ValidationFailed(errors=problems) from error


def rename_user(*, user_id: UUID, full_name: str) -> User:
    """Change the person's name."""
    user = User.objects.get(pk=user_id)
    user.full_name = full_name
    user.save(update_fields=["full_name", "updated_at"])
    return user


def suspend_user(*, user: User) -> None:
    """Shut the person out, with all keys of the own accounts: everywhere within four seconds.

    Open orders stay in the book. Tokens work again after `activate_user`, if they have not expired.

    Raises:
        UserClosed: the login is closed.
    """
    _set_status(user, User.Status.SUSPENDED)


def activate_user(*, user: User) -> None:
    """Let a suspended person in again.

    Raises:
        UserClosed: the login is closed.
    """
    _set_status(user, User.Status.ACTIVE)


def close_user(*, user: User) -> None:
    """End a login for good, with all its refresh tokens. Accounts and what is on them stay.

    Raises:
        UserClosed: it is closed already.
    """
    _set_status(user, User.Status.CLOSED)


@retry_on_conflict
@transaction.atomic
def _set_status(user: User, status: "User.Status") -> None:
    row = lock_user(user.pk)
    if row.status == User.Status.CLOSED:
        raise UserClosed()
    before = row.status
    row.status, row.status_changed_at = status, timezone.now()
    record(
        action="person.status_changed",
        target=row,
        before={"status": before},
        after={"status": status.value},
    )
    row.save(update_fields=["status", "status_changed_at", "updated_at"])
    if status == User.Status.CLOSED:
        end_tokens(user=row)
    user.status, user.status_changed_at = row.status, row.status_changed_at
    transaction.on_commit(lambda: forget_user(row.pk))


def _make_retail_broker() -> Broker:
    """The retail broker, made by one of those who miss it. It has no key: nobody asked for one."""
    lock_retail_broker()
    return find_retail_broker() or Broker.objects.create(
        name=settings.RETAIL_BROKER, default_funding=Funding.PREFUNDED
    )


def _new_document_number() -> str:
    """17 characters, of 80 random bits: what two people get by chance never meets."""
    return f"U{base64.b32encode(secrets.token_bytes(10)).decode()}"
