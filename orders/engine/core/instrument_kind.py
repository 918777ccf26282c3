"""How orders for one kind of instrument are checked, accepted, settled and closed. Pure."""

from abc import ABC, abstractmethod
from collections.abc import Iterable

from orders.engine.core.batch import Batch, TradeRow
from orders.engine.core.instruments import InstrumentRules
from orders.engine.core.lock_plan import LockPlan
from orders.engine.core.risk import Refusal
from orders.engine.core.state import LiveOrder
from orders.matching.types import Execution


class InstrumentKind(ABC):
    """What differs between kinds of instruments; an instrument knows its own (`kind`).

    All of it may raise LockPlanMiss, except what plans.
    """

    @abstractmethod
    def check(self, order: LiveOrder, batch: Batch) -> Refusal | None:
        """Why an order is refused whose account may trade. A market order gets its worst price."""

    @abstractmethod
    def accept(self, order: LiveOrder, batch: Batch) -> None:
        """Set aside what an order may cost that has been checked and now meets its book."""

    @abstractmethod
    def settle(self, taker: LiveOrder, execution: Execution, batch: Batch) -> TradeRow:
        """Book one execution: fees, money and assets or positions, one entry, one trade."""

    @abstractmethod
    def shrink_hold(self, taker: LiveOrder, batch: Batch) -> None:
        """Lower what is set aside for an order to what its rest needs, after its last execution."""

    @abstractmethod
    def close(self, order: LiveOrder, batch: Batch) -> None:
        """Free what is still set aside for an order that is closed."""

    # --- rows that a batch can touch --------------------------------------------------------------

    @abstractmethod
    def plan_venue(self, rules: InstrumentRules, plan: LockPlan) -> None:
        """Add the venue's own rows that a trade changes."""

    @abstractmethod
    def plan_takers(self, account_ids: Iterable[int], plan: LockPlan) -> None:
        """Add what must be known of accounts that place orders."""

    @abstractmethod
    def plan_paying(
        self, account_id: int, side: int, rules: InstrumentRules, plan: LockPlan
    ) -> None:
        """Add the balance that an order of this side is checked against, and holds from."""

    @abstractmethod
    def plan_trading(self, account_id: int, rules: InstrumentRules, plan: LockPlan) -> None:
        """Add the balances of an account that may trade."""

    @abstractmethod
    def plan_closing(self, order: LiveOrder, plan: LockPlan) -> None:
        """Add the balance that closing an order changes."""
