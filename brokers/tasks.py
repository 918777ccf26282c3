"""Celery's way into webhooks and mails, and the nudge after a commit that wrote events."""

import logging
from uuid import UUID

import kombu.exceptions
import redis
from celery import shared_task

from brokers.services.delivery import deliver_due_webhooks, delivery_slot, has_due_deliveries
from brokers.services.mails import send_password_reset_mail, send_verification_mail
from brokers.services.tokens import purge_expired_tokens
from common.valkey import get_client, key

_log = logging.getLogger(__name__)

# There from a nudge until a run begins, so that only who sets it queues a run. The engine sets it
# in the round trip of its answers and then calls `queue_delivery`.
NUDGED_KEY = "webhooks:nudged"
# A nudge whose task was lost is forgotten after this time; beat looks every five seconds anyway.
NUDGE_SECONDS = 30
_LINGER_SECONDS = 2.0


@shared_task
def deliver_webhooks() -> None:
    """Deliver what is due, for 20 s at most; nothing where enough runs are at work already."""
    with delivery_slot() as is_free:
        if not is_free:
            return
        _forget_nudge()
        deliver_due_webhooks(linger_seconds=_LINGER_SECONDS)
    _forget_nudge()
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


@shared_task
def purge_tokens() -> None:
    """Delete refresh tokens that have expired: they are refused for that alone."""
    purge_expired_tokens()


def nudge_webhooks() -> None:
    """Have the due webhooks delivered soon; however many nudges queue a single run.

    For after a commit. Where Valkey is away nothing is lost: the rows are there, and beat looks.
    """
    try:
        is_first = get_client().set(key(NUDGED_KEY), 1, nx=True, ex=NUDGE_SECONDS)
    except redis.RedisError as error:
        _log.warning("webhooks wait for beat, since the nudge failed: %s", error)
        return
    if is_first:
        queue_delivery()


def queue_delivery() -> None:
    """Queue a run of `deliver_webhooks`, for who has set the key of the nudge."""
    try:
        deliver_webhooks.apply_async(retry=False)
    except kombu.exceptions.OperationalError as error:
        _log.warning("webhooks wait for beat, since no run could be queued: %s", error)


def _forget_nudge() -> None:
    try:
        get_client().delete(key(NUDGED_KEY))
    except redis.RedisError as error:
        _log.warning("nudges wait until the last one is forgotten: %s", error)
