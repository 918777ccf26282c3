"""Mails to people. A worker looks the person up and sends, so that an answer tells nothing by its
time; what cannot be queued is logged, and the person asks again."""

import logging
from functools import partial
from uuid import UUID

import kombu.exceptions
import redis
from celery import signature
from django.core.mail import send_mail
from django.db import transaction
from django.template.loader import render_to_string

from brokers.models import User
from brokers.selectors import find_user_by_email
from brokers.services.mail_tokens import make_reset_token, make_verification_token

_log = logging.getLogger(__name__)

_VERIFICATION_TASK = "brokers.tasks.mail_verification"
_RESET_TASK = "brokers.tasks.mail_password_reset"
_NOTICE_TASK = "brokers.tasks.mail_notice"


def queue_verification_mail(user: User) -> None:
    """Have the token mailed that verifies the person's address, after the transaction."""
    transaction.on_commit(partial(_queue, _VERIFICATION_TASK, str(user.pk)))


def queue_password_reset_mail(email: str) -> None:
    """Have a token mailed that resets the password, if somebody has this address."""
    transaction.on_commit(partial(_queue, _RESET_TASK, email))


def queue_notice(*, user_id: UUID, subject: str, text: str) -> None:
    """Have a person told what happened, after the transaction."""
    transaction.on_commit(partial(_queue, _NOTICE_TASK, str(user_id), subject, text))


def send_notice(user_id: UUID, subject: str, text: str) -> None:
    """Mail a text to the person, who is active and has proven the address."""
    user = User.objects.filter(pk=user_id, email_verified_at__isnull=False).first()
    if user is not None and user.is_active:
        send_mail(subject, text, from_email=None, recipient_list=[user.email])


def send_verification_mail(user_id: UUID) -> None:
    """Mail the token, unless the address is verified already or the person is shut out."""
    user = User.objects.filter(pk=user_id, email_verified_at__isnull=True).first()
    if user is not None and user.is_active:
        _send_token(user, "Your email address", "verification", make_verification_token(user))


def send_password_reset_mail(email: str) -> None:
    """Mail the token to the person of this address, who is active and has a password."""
    user = find_user_by_email(email)
    if user is not None and user.is_active and user.has_usable_password():
        _send_token(user, "Your password", "password_reset", make_reset_token(user))


def _send_token(user: User, subject: str, template: str, token: str) -> None:
    """Mail a token to an address that anybody may have named.

    The template gets the token alone. A name, or the address with what somebody put before its @,
    would have the venue mail a stranger the text of another stranger.
    """
    text = render_to_string(f"brokers/mail/{template}.txt", {"token": token})
    send_mail(subject, text, from_email=None, recipient_list=[user.email])


def _queue(task: str, *arguments: str) -> None:
    try:
        signature(task, args=arguments).apply_async(retry=False)
    except (redis.RedisError, kombu.exceptions.OperationalError) as error:
        _log.warning("a mail was not queued (%s): %s", task, error)
