"""Answers that are kept for an Idempotency-Key: written in the transaction of their effect.

While a request runs, its key is an advisory lock of its transaction, so that a second one learns at
once that the first is still running, and nothing is left where a process dies. Every function
here works inside a transaction of its caller.
"""

from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from common.database import pipelined, retry_on_conflict
from common.postgres_arrays import integers, texts, words
from common.purging import purge_rows
from common.request_keys import RequestKey, StoredAnswer
from ledger import locks
from ledger.bulk.sql import Executor
from ledger.errors import IdempotencyKeyReused, RequestInProgress
from ledger.models import IdempotencyKey

_FIND = """
SELECT k.owner, k.key, k.fingerprint, k.status, k.body
  FROM unnest(%s::text[], %s::text[]) AS u (owner, key)
  JOIN ledger_idempotencykey k USING (owner, key)
"""
_INSERT = """
INSERT INTO ledger_idempotencykey (owner, key, fingerprint, status, body)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::smallint[], %s::text[])
"""


class KeyLedger:
    """The keys of the requests of one transaction: which run, which have their answer already."""

    def __init__(self, executor: Any, keys: Iterable[RequestKey]) -> None:
        """Lock the keys, then look for their answers: `executor` is a connection in a pipeline."""
        names = sorted({key.name for key in keys})
        self._names = names
        self._running: set[tuple[str, str]] = set()
        self._answers: dict[tuple[str, str], tuple[str, StoredAnswer]] = {}
        self._new: list[tuple[RequestKey, StoredAnswer]] = []
        if names:
            self._locked = executor.execute(*locks.try_lock_keys_statement(names))
            columns = [texts(owner for owner, _ in names), texts(key for _, key in names)]
            self._found = executor.execute(_FIND, columns)

    def read(self) -> None:
        """Take what the database answered; to be called before anything else."""
        if self._names:
            locked = zip(self._names, self._locked.fetchall(), strict=True)
            self._running = {name for name, (is_locked,) in locked if is_locked}
            self._answers = {
                (owner, key): (fingerprint, StoredAnswer(status, body))
                for owner, key, fingerprint, status, body in self._found.fetchall()
            }

    def find(self, key: RequestKey) -> StoredAnswer | None:
        """The answer that the same request got before; None where it is to run now.

        Raises:
            RequestInProgress: it runs in another transaction.
            IdempotencyKeyReused: the key was sent with another request.
        """
        if key.name not in self._running:
            raise RequestInProgress()
        found = self._answers.get(key.name)
        if found is None:
            return None
        fingerprint, answer = found
        if fingerprint != key.fingerprint:
            raise IdempotencyKeyReused()
        return answer

    def keep(self, key: RequestKey, answer: StoredAnswer) -> None:
        """Remember the answer, for later requests and, after `write`, for a week."""
        self._answers[key.name] = (key.fingerprint, answer)
        self._new.append((key, answer))

    def write(self, executor: Executor) -> None:
        """Store the answers that were kept."""
        if self._new:
            columns = [
                texts(key.owner for key, _ in self._new),
                texts(key.key for key, _ in self._new),
                words(key.fingerprint for key, _ in self._new),
                integers(answer.status for _, answer in self._new),
                texts(answer.body for _, answer in self._new),
            ]
            executor.execute(_INSERT, columns)


@retry_on_conflict
@transaction.atomic
def answer_once(
    *, key: RequestKey, run: Callable[[], StoredAnswer | None]
) -> tuple[StoredAnswer, bool] | None:
    """Run a request whose answer is kept for `key`, or find the answer that it got before.

    `run` works in the same transaction, and gives the answer to keep, None where it must not be
    kept. What it raises rolls everything back, and nothing is kept. The flag tells whether the
    answer is an earlier one; None means that `run` had nothing to keep.

    Raises:
        RequestInProgress, IdempotencyKeyReused: as `KeyLedger.find`.
    """
    with pipelined() as executor:
        keys = KeyLedger(executor, [key])
        keys.read()
    before = keys.find(key)
    if before is not None:
        return before, True
    answer = run()
    if answer is None:
        return None
    keys.keep(key, answer)
    with pipelined() as executor:
        keys.write(executor)
    return answer, False


def purge_idempotency_keys() -> int:
    """Forget old keys, in chunks; returns how many."""
    until = timezone.now() - settings.KEPT["IDEMPOTENCY_KEYS_KEPT_DAYS"]
    return purge_rows(IdempotencyKey.objects.filter(created_at__lt=until).order_by("created_at"))
