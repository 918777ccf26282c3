"""Celery's way into webhooks and mails, and the nudge after a commit that wrote events."""

from uuid import UUID

from celery import shared_task

from brokers.services.delivery import deliver_due_webhooks, delivery_slot, has_due_deliveries
from brokers.services.mails import (
    send_notice,
    send_password_reset_mail,
    send_verification_mail,
)
from common.nudges import NUDGE_SECONDS as NUDGE_SECONDS
from common.nudges import Nudge

_NUDGE = Nudge("brokers.tasks.deliver_webhooks", "webhooks:nudged")
# The engine sets it in the round trip of its answers and then calls `queue_delivery`.
NUDGED_KEY = _NUDGE.key_name
_LINGER_SECONDS = 2.0


@shared_task
def deliver_webhooks() -> None:
    """Deliver what is due, for 20 s at most; nothing where enough runs are at work already."""
    with delivery_slot() as is_free:
        if not is_free:
            return
        _NUDGE.forget()
        deliver_due_webhooks(linger_seconds=_LINGER_SECONDS)
    _NUDGE.forget()
    if has_due_deliveries():
        nudge_webhooks()


# A mail server that is away (SMTPException is an OSError) is tried again for about half an hour.
@shared_task(autoretry_for=(OSError,), retry_backoff=30, max_retries=5)
def mail_verification(user_id: str) -> None:
    """Mail the token that verifies a person's address."""
    send_verification_mail(UUID(user_id))


@shared_task(autoretry_for=(OSError,), retry_backoff=30, max_retries=5)
def mail_password_reset(email: str) -> None:
    """Mail the token that resets a password, if somebody has this address."""
    send_password_reset_mail(email)


@shared_task(autoretry_for=(OSError,), retry_backoff=30, max_retries=5)
def mail_notice(user_id: str, subject: str, text: str) -> None:
    """Mail what happened to a person who has proven the address."""
    send_notice(UUID(user_id), subject, text)


def nudge_webhooks() -> None:
    """Have the due webhooks delivered soon; however many nudges queue a single run.

    For after a commit. Where Valkey is away nothing is lost: the rows are there, and beat looks.
    """
    _NUDGE.give()


def queue_delivery() -> None:
    """Queue a run of `deliver_webhooks`, for who has set the key of the nudge."""
    _NUDGE.queue_run()
