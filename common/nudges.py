"""Nudges: have a Celery task run soon that beat runs anyway, once for however many ask for it.

Nothing is lost where Valkey is away, or where a nudge is: the task finds its work in the database.
"""

import logging
from dataclasses import dataclass

import kombu.exceptions
import redis
from celery import signature

from common.valkey import get_client, key

_log = logging.getLogger(__name__)

# A nudge whose run was lost is forgotten after this time.
NUDGE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Nudge:
    """A task by its name, and the key that is there from a nudge until a run begins.

    Only who sets the key queues a run. The task forgets it before it looks, so that what comes
    later queues another run.
    """

    task: str
    key_name: str

    def give(self) -> None:
        """Have the task run soon. For after a commit."""
        try:
            is_first = get_client().set(key(self.key_name), 1, nx=True, ex=NUDGE_SECONDS)
        except redis.RedisError as error:
            _log.warning("%s waits for beat, since the nudge failed: %s", self.task, error)
            return
        if is_first:
            self.queue_run()

    def queue_run(self) -> None:
        """Queue a run, for the caller who has set the key. Never fails: callers have committed."""
        try:
            signature(self.task).apply_async(retry=False)
        except kombu.exceptions.OperationalError as error:
            _log.warning("%s waits for beat, since it could not be queued: %s", self.task, error)
        except Exception:
            # Kombu raises what it likes when its connection breaks at a bad moment.
            _log.exception("%s waits for beat, since it could not be queued", self.task)

    def forget(self) -> None:
        """Let the next nudge queue a run again."""
        try:
            get_client().delete(key(self.key_name))
        except redis.RedisError as error:
            _log.warning("nudges of %s wait until it is forgotten: %s", self.task, error)
