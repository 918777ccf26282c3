"""Passwords that people change, addresses that they prove. A new password ends all tokens."""

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from brokers.errors import InvalidMailToken, WrongPassword
from brokers.locks import lock_user
from brokers.models import User
from brokers.services.access import forget_user
from brokers.services.keys import revoke_keys_of_owner
from brokers.services.mail_tokens import (
    check_reset_token,
    read_reset_token,
    read_verification_token,
)
from brokers.services.people import check_password_strong
from brokers.services.tokens import end_tokens
from common.database import retry_on_conflict


@retry_on_conflict
@transaction.atomic
def change_password(*, user_id: UUID, old_password: str, new_password: str) -> None:
    """Set another password; who is logged in anywhere has to log in again.

    Raises:
        WrongPassword: `old_password` is not the present one.
        ValidationFailed: the new one is too weak.
    """
    user = lock_user(user_id)
    if not user.check_password(old_password):
        raise WrongPassword()
    check_password_strong(new_password, user, field="new_password")
    _set_password(user, new_password)


@retry_on_conflict
@transaction.atomic
def reset_password(*, token: str, password: str) -> None:
    """Set another password by a mailed token, which also proves that the address is the person's.

    Where it was not proven before, who registered it may have been somebody else: then the keys of
    the own accounts end too.

    Raises:
        InvalidMailToken: the token is wrong, expired or used, or the person is shut out.
        ValidationFailed: the password is too weak; the token can be used again.
    """
    user = _lock_active_user(read_reset_token(token))
    check_reset_token(user, token)
    check_password_strong(password, user, field="password")
    if user.email_verified_at is None:
        revoke_keys_of_owner(user=user)
        user.email_verified_at = timezone.now()
        user.save(update_fields=["email_verified_at"])
    _set_password(user, password)


@retry_on_conflict
@transaction.atomic
def verify_email(*, token: str) -> None:
    """Note that the person reads the mail of the address; doing it again changes nothing.

    Raises:
        InvalidMailToken: the token is wrong or expired, or the person has another address now.
    """
    user_id, email = read_verification_token(token)
    user = _lock_active_user(user_id)
    if user.email != email:
        raise InvalidMailToken()
    if user.email_verified_at is None:
        user.email_verified_at = timezone.now()
        user.save(update_fields=["email_verified_at", "updated_at"])
        transaction.on_commit(lambda: forget_user(user_id))


def _lock_active_user(user_id: UUID) -> User:
    try:
        user = lock_user(user_id)
    except User.DoesNotExist as error:
        raise InvalidMailToken() from error
    if not user.is_active:
        raise InvalidMailToken()
    return user


def _set_password(user: User, password: str) -> None:
    user.set_password(password)
    user.password_changed_at = timezone.now()
    user.save(update_fields=["password", "password_changed_at", "updated_at"])
    end_tokens(user=user)
    transaction.on_commit(lambda: forget_user(user.pk))
