"""Clients that send one small order after the other and note when each was acknowledged."""

import threading
import time
from contextlib import suppress
from itertools import pairwise

from embedded.trial import TrialVenue
from tests.faults.traders import VALID_UNTIL, Caller, NoAnswer

_PAUSE_SECONDS = 0.02
_FIRST_ANSWERS_SECONDS = 30.0


class SteadyClient(threading.Thread):
    """A client of the classic dialect on a connection that is kept alive, opened again when lost.

    Whatever is no acknowledgement is followed by the next order at once.
    """

    def __init__(self, port: int, key: str, number: int) -> None:
        super().__init__(name=f"steady-{number}", daemon=True)
        self.stopping = threading.Event()
        self.acknowledged_at: list[float] = [time.monotonic()]
        self.refusals: list[str] = []
        self._caller = Caller(port, key)
        self._body = {
            "document_number": self.name,
            "symbol": "STEADY",
            "side": "bid",
            "price": 100,
            "quantity": 1,
            "valid_until": VALID_UNTIL,
        }

    def run(self) -> None:
        while not self.stopping.is_set():
            try:
                answer = self._caller.post("/orders", self._body)
            except NoAnswer as error:
                self.refusals.append(str(error))
            else:
                if answer.status == 201:
                    self.acknowledged_at.append(time.monotonic())
                else:
                    self.refusals.append(f"{answer.status} {answer.document}")
            time.sleep(_PAUSE_SECONDS)

    def longest_gap(self, since: float) -> float:
        """The longest time between two acknowledgements, the first of them at most `since`."""
        at = self.acknowledged_at
        return max(later - earlier for earlier, later in pairwise(at) if later > since)


class Clients:
    """Some steady clients at one venue."""

    def __init__(self, venue: TrialVenue, key: str, count: int) -> None:
        self._venue = venue
        self._clients = [SteadyClient(venue.port, key, number) for number in range(count)]
        for client in self._clients:
            client.start()
        self.wait_until_all_served_after(time.monotonic(), seconds=_FIRST_ANSWERS_SECONDS)

    def wait_until_all_served_after(self, instant: float, *, seconds: float = 60.0) -> float:
        """Wait until each client had an order taken after `instant`; seconds from then on."""

        def is_served() -> bool:
            return all(client.acknowledged_at[-1] > instant for client in self._clients)

        assert self._venue.supervisor.wait_until(is_served, seconds=seconds), self._venue.tell()
        return max(
            next(at for at in client.acknowledged_at if at > instant) - instant
            for client in self._clients
        )

    def longest_gap(self, since: float) -> float:
        """The longest time that any of the clients went without an order taken."""
        return max(client.longest_gap(since) for client in self._clients)

    def refusals(self) -> list[str]:
        """All that the clients got in place of acknowledgements."""
        return [refusal for client in self._clients for refusal in client.refusals]

    def close(self) -> None:
        """Stop the clients."""
        for client in self._clients:
            client.stopping.set()
        with suppress(KeyboardInterrupt):
            for client in self._clients:
                client.join(15)
