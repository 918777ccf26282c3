"""Opens the transactions of batches: what a batch needs is planned, known, and asked for.

It is sent and not waited for: `OpenedBatch.request` holds the replies that are due.
"""

from dataclasses import dataclass
from typing import Any

import psycopg

from common.postgres_pipeline import StatementPipeline
from orders.engine.core.batch import Received
from orders.engine.core.lock_plan import LockPlan
from orders.engine.core.planning import plan_locks, runs_alone, unknown_instruments
from orders.engine.core.state import LiveOrder, ShardState
from orders.engine.transaction import locking, recovery

# A plan of a statement is made for the size that a table has then, and kept. An engine that starts
# with empty tables must not look up orders for ever as if there were ten of them: all plans are
# made again after so many batches, and whenever their number has doubled.
_PLANS_AGAIN = 4


@dataclass(slots=True)
class OpenedBatch:
    """A batch whose transaction has begun: its time, and the locks that were asked for."""

    batch_time: int
    plan: LockPlan
    request: locking.LockRequest


class BatchOpener:
    """Opens transactions on the connection of a shard's engine, one at a time."""

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        statements: StatementPipeline,
        state: ShardState,
    ) -> None:
        self._connection = connection
        self._statements = statements
        self._state = state
        self._count = 0
        self._next_planning = _PLANS_AGAIN

    def open(
        self,
        received: list[Received],
        batch_time: int,
        *,
        extra_owners: set[int],
        looks_up: bool,
        makes_accounts: bool = False,
    ) -> OpenedBatch:
        """Open a batch that comes after no other; what is missing is loaded and made before.

        `makes_accounts`: also ledger accounts of clients.
        """
        unknown = unknown_instruments(received, self._state)
        if unknown:
            recovery.rebuild(self._connection, self._state, unknown)
        plan = self._plan(received, batch_time, extra_owners)
        locking.ensure_venue_accounts(self._statements, self._state, plan)
        if makes_accounts:
            locking.make_client_accounts(self._statements, self._state, plan)
        return self._begin(
            plan,
            batch_time,
            last_id=self._state.last_id,
            looks_up=looks_up,
            accounts_made=makes_accounts,
        )

    def open_behind(
        self, received: list[Received], batch_time: int, *, last_id: str
    ) -> OpenedBatch | None:
        """Open a batch behind a COMMIT that will leave the checkpoint `last_id`.

        None, and nothing was sent, where something must be loaded, made or reset before.
        """
        if unknown_instruments(received, self._state) or any(map(runs_alone, received)):
            return None
        plan = self._plan(received, batch_time, set())
        if not locking.has_venue_accounts(self._state, plan):
            return None
        return self._begin(plan, batch_time, last_id=last_id)

    def open_fenced(self, batch_time: int) -> None:
        """Begin a transaction that locks nothing but the shard, and wait for that.

        Raises:
            FenceLost: the shard has another leader.
        """
        self._begin(LockPlan(), batch_time, last_id=self._state.last_id).request.receive()

    def _plan(self, received: list[Received], batch_time: int, extra_owners: set[int]) -> LockPlan:
        state = self._state
        due: list[LiveOrder] = state.matcher.due(batch_time)  # type: ignore[assignment]
        return plan_locks(state, received, due, extra_owners)

    def _begin(
        self,
        plan: LockPlan,
        batch_time: int,
        *,
        last_id: str,
        looks_up: bool = False,
        accounts_made: bool = False,
    ) -> OpenedBatch:
        self._count += 1
        if self._count == self._next_planning:
            self._next_planning *= 2
            self._statements.execute("DISCARD PLANS")
        request = locking.LockRequest(
            self._statements,
            self._state,
            plan,
            last_id=last_id,
            looks_up=looks_up,
            accounts_made=accounts_made,
        )
        return OpenedBatch(batch_time, plan, request)
