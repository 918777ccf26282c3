"""The one way in which transfers are made: any number of them in one transaction, set-based.

    find recipients, open their wallets   only where somebody is named by email
    lock keys, find answers               only where there are Idempotency-Keys
    lock wallets in the order of ids, read what else decides
    decide each in its order (`deciding`)
    insert entries, postings, transfers, answers; update balances

What can be sent together goes through a pipeline: where nobody is named by email, that is three
round trips with the COMMIT, for one transfer as for a thousand. Trading accounts are read after the
locks and not locked themselves: a suspension counts for what begins after its commit.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from common.database import pipelined, retry_on_conflict
from common.errors import ExchangeError
from common.ids import instant_of
from common.money import from_units8
from ledger.batch import LedgerBatch
from ledger.bulk import LockedWallet, Written, lock_wallets, write
from ledger.errors import TransferRefused
from ledger.services.idempotency import KeyLedger
from ledger.services.transfers.deciding import (
    Refusal,
    Terms,
    apply,
    find_refusal,
    read_terms,
)
from ledger.services.transfers.orders import BATCH_MAX, TransferOrder, TransferOutcome
from ledger.services.transfers.recipients import find_destinations
from ledger.services.transfers.storing import insert_statement
from ledger.types import TransferReason, TransferState, TransferStatus


@retry_on_conflict
@transaction.atomic
def execute(orders: Sequence[TransferOrder]) -> list[TransferOutcome]:
    """Make transfers, all in one transaction, each decided after the ones before it.

    The outcomes are in the order of the orders. An outcome with a transfer is stored, COMPLETED,
    PENDING or FAILED; one with an error alone is not. Of neighbours with one `linked_id` all go
    through, or all that are stored are FAILED; where one is malformed, none is stored.
    """
    assert len(orders) <= BATCH_MAX, f"{len(orders)} transfers at once"
    with connection.cursor() as cursor:
        destinations = find_destinations(cursor, orders)
    with pipelined() as executor:
        keys = KeyLedger(executor, [order.request.key for order in orders if order.request])
        wallets = lock_wallets(executor, _wallet_ids(orders, destinations))
        keys.read()
    now = datetime.now(UTC)
    run = _Run(destinations, wallets, keys, now)
    outcomes = [
        outcome
        for _, linked in groupby(orders, key=lambda order: order.linked_id or order.id)
        for outcome in run.decide(list(linked))
    ]
    with pipelined() as executor:
        written = run.write(executor)
    if written is not None:
        written.check()
    return outcomes


class _Run:
    """The transfers of one transaction, gathered in memory until they are written."""

    def __init__(
        self,
        destinations: Mapping[UUID, int | None],
        wallets: Mapping[int, LockedWallet],
        keys: KeyLedger,
        now: datetime,
    ) -> None:
        self._destinations = destinations
        self._wallets = wallets
        self._keys = keys
        self._now = now
        self._batch = LedgerBatch(wallet.row for wallet in wallets.values())
        self._actors: list[str] = []
        self._stored: list[tuple[TransferState, int]] = []

    def decide(self, linked: Sequence[TransferOrder]) -> Iterator[TransferOutcome]:
        """The outcomes of one transfer, or of several that go through together or not at all."""
        try:
            earlier = self._find_earlier(linked[0])
            if earlier is not None:
                return iter([earlier])
            terms = [self._read(order, index) for index, order in enumerate(linked)]
        except ExchangeError as error:
            return iter([TransferOutcome(error=error)] * len(linked))
        return iter(self._settle(terms))

    def write(self, executor: Any) -> Written | None:
        """Send everything; the answer tells, after the pipeline, whether all balances were hit."""
        self._keys.write(executor)
        if self._stored:
            executor.execute(*insert_statement(self._stored))
        if not self._batch.dirty_rows():
            return None
        return write(executor, self._batch, actor=self._actors, occurred_at=self._now)

    def _find_earlier(self, order: TransferOrder) -> TransferOutcome | None:
        answer = None if order.request is None else self._keys.find(order.request.key)
        return None if answer is None else TransferOutcome(earlier=answer)

    def _read(self, order: TransferOrder, index: int) -> Terms:
        """The terms of a transfer; of linked ones the refusal tells which of them it is."""
        destination_id = order.destination_id or self._destinations.get(order.id)
        try:
            return read_terms(order, destination_id, self._wallets)
        except ExchangeError as error:
            if order.linked_id is not None:
                error.facts = {**error.facts, "index": index}
            raise

    def _settle(self, linked: Sequence[Terms]) -> list[TransferOutcome]:
        refused = find_refusal(linked)
        outcomes = []
        for index, terms in enumerate(linked):
            refusal = None
            if refused is not None:
                is_culprit = index == refused[0]
                refusal = refused[1] if is_culprit else Refusal(TransferReason.LINKED_FAILED, {})
            outcomes.append(self._store(terms, refusal))
        return outcomes

    def _store(self, terms: Terms, refusal: Refusal | None) -> TransferOutcome:
        state = _state(terms, refusal, self._now)
        error = None
        if refusal is not None:
            error = TransferRefused(refusal.reason, transfer_id=state.id, **refusal.facts)
        else:
            apply(self._batch, terms)
            if state.status == TransferStatus.COMPLETED:
                self._actors.append(state.actor)
        self._stored.append((state, terms.source.row.asset_id))
        outcome = TransferOutcome(state, error)
        if terms.order.request is not None:
            self._keys.keep(terms.order.request.key, terms.order.request.write(outcome))
        return outcome


def _wallet_ids(
    orders: Sequence[TransferOrder], destinations: Mapping[UUID, int | None]
) -> set[int]:
    sources = {order.source_id for order in orders}
    named = {order.destination_id for order in orders}
    return {id for id in sources | named | set(destinations.values()) if id is not None}


def _state(terms: Terms, refusal: Refusal | None, now: datetime) -> TransferState:
    order = terms.order
    is_two_step = order.timeout_seconds is not None
    if refusal is not None:
        status = TransferStatus.FAILED
    else:
        status = TransferStatus.PENDING if is_two_step else TransferStatus.COMPLETED
    amount = from_units8(terms.amount)
    return TransferState(
        id=order.id,
        source_id=terms.source.row.id,
        destination_id=terms.destination.row.id,
        currency=terms.source.currency,
        amount=amount,
        posted_amount=amount if status == TransferStatus.COMPLETED else None,
        status=status,
        reason="" if refusal is None else refusal.reason,
        is_two_step=is_two_step,
        expires_at=now + timedelta(seconds=order.timeout_seconds or 0) if is_two_step else None,
        linked_id=order.linked_id,
        memo=order.memo,
        actor=order.actor,
        created_at=instant_of(order.id),
        finished_at=None if status == TransferStatus.PENDING else now,
    )
