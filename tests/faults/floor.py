"""The trading floor of a fault test: traders at work while the test kills what they talk to."""

import os
import signal

from embedded.trial import TrialVenue
from tests.faults import facts
from tests.faults.traders import Caller, ClassicTrader, KeyedTrader, Trader

_FLOWS_SECONDS = 60.0
_FLOWS_ORDERS = 20
_LAST_ANSWER_SECONDS = 30.0
_numbers = iter(range(1_000_000))


class Floor:
    """Four clients with credit and two who paid beforehand, on one share."""

    def __init__(
        self, venue: TrialVenue, caller: Caller, broker_key: str, funded: tuple[str, int]
    ) -> None:
        self._venue = venue
        self._caller = caller
        self._broker_key = broker_key
        self._funded = funded
        self._symbol = ""
        self.traders: list[Trader] = []

    def open(self, symbol: str) -> None:
        """Let the traders loose; returns when orders flow."""
        self._symbol = symbol
        port, (funded_key, account_id) = self._venue.port, self._funded
        for _ in range(4):
            name = f"credit-{next(_numbers)}"
            self.traders.append(ClassicTrader(port, self._broker_key, name, symbol))
        for _ in range(2):
            name = f"funded-{next(_numbers)}"
            self.traders.append(KeyedTrader(port, funded_key, name, symbol, account_id))
        for trader in self.traders:
            trader.start()
        self.wait_until_orders_flow()

    def wait_until_orders_flow(self) -> None:
        """Wait until every trader was answered anew, and all of them often enough."""
        before = [len(trader.memory.acknowledged) for trader in self.traders]

        def is_flowing() -> bool:
            gained = [
                len(trader.memory.acknowledged) - count
                for trader, count in zip(self.traders, before, strict=True)
            ]
            return min(gained) > 0 and sum(gained) >= _FLOWS_ORDERS

        flows = self._venue.supervisor.wait_until(is_flowing, seconds=_FLOWS_SECONDS)
        assert flows, self._venue.tell()

    def kill(self, pid: int) -> None:
        """Kill a process with -9, wait until it is gone and orders flow again."""
        os.kill(pid, signal.SIGKILL)
        self.wait_until_orders_flow()

    def assert_nothing_lost(self) -> None:
        """Let the traders finish and compare what they were told with what is so."""
        self.close()
        facts.wait_until_quiet(self._venue, self._caller)
        facts.assert_nothing_lost(self._venue, self._caller, self.traders, [self._symbol])
        assert sum(len(trader.memory.canceled) for trader in self.traders) > 0

    def assert_all_were_answered(self) -> None:
        """No connection broke and no request stayed without an answer, however late it came."""
        for trader in self.traders:
            lost = [name for name in trader.memory.statuses if name.startswith("none")]
            assert lost == [], f"{trader.name}: {trader.memory.statuses}"

    def close(self) -> None:
        """Stop the traders; those that still ask for an outcome get it first."""
        for trader in self.traders:
            trader.stopping.set()
        done = self._venue.supervisor.wait_until(
            lambda: not any(trader.is_alive() for trader in self.traders),
            seconds=_LAST_ANSWER_SECONDS,
        )
        assert done, self._venue.tell()
