"""Many callers, one transaction: flat combining for things that are cheaper together.

While one thread's round runs, the others queue up; the first of them leads the next round, in which
all that have queued are run together. Who is alone runs at once and waits for nobody. There are no
threads of its own and no clocks, so nothing has to be started, before a fork or after it.

Invariants: an item is in one round at a time; its caller goes on only after the round is over
(`run` returns after its COMMIT); an error reaches only the caller of the item that is to blame.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


class RoundBroken(RuntimeError):
    """The thread that led the round was stopped in the middle of it."""


class _Place(Generic[Item, Outcome]):
    """Where a caller waits: a lock that opens when it has its outcome, or is to lead."""

    __slots__ = ("_lock", "error", "is_done", "item", "outcome")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.outcome: Outcome | None = None
        self.error: BaseException | None = None
        self.is_done = False
        self._lock = threading.Lock()
        self._lock.acquire()

    def wait(self) -> None:
        """Wait to be woken; the lock is closed again then."""
        self._lock.acquire()

    def wake(self) -> None:
        """Let the caller go on, to lead or with its outcome."""
        self._lock.release()


class Combiner(Generic[Item, Outcome]):
    """Runs items together that come at the same time.

    `run` takes a list of items, has an outcome for each and does all or, where it raises, nothing.
    `is_divisible` tells whether an error may be the fault of single items: then the round is halved
    until who is to blame is alone. Any other error is everybody's.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Item]], Sequence[Outcome]],
        *,
        max_size: int,
        is_divisible: Callable[[Exception], bool],
    ) -> None:
        self._run = run
        self._max_size = max_size
        self._is_divisible = is_divisible
        self._lock = threading.Lock()
        self._waiting: deque[_Place[Item, Outcome]] = deque()
        self._has_leader = False

    def submit(self, item: Item) -> Outcome:
        """The outcome of `item`, after the round in which it was run.

        Raises:
            Exception: what `run` raises for this item, or for all.
            RoundBroken: the leader was stopped; what became of the item is not known.
        """
        place: _Place[Item, Outcome] = _Place(item)
        with self._lock:
            self._waiting.append(place)
            is_leader = not self._has_leader
            self._has_leader = True
        if not is_leader:
            place.wait()
        if not place.is_done:
            self._lead()
        if place.error is not None:
            raise place.error
        return place.outcome  # type: ignore[return-value]

    def _lead(self) -> None:
        """Run what has queued up, one's own item first; then hand over to who waits longest.

        The successor is woken last: those who were just answered and have more get into its round.
        """
        with self._lock:
            size = min(len(self._waiting), self._max_size)
            places = [self._waiting.popleft() for _ in range(size)]
        try:
            self._run_places(places)
        finally:
            self._dismiss(places)
            with self._lock:
                successor = self._waiting[0] if self._waiting else None
                self._has_leader = successor is not None
            if successor is not None:
                successor.wake()

    def _run_places(self, places: Sequence[_Place[Item, Outcome]]) -> None:
        try:
            outcomes = self._run([place.item for place in places])
        except Exception as error:
            if len(places) == 1 or not self._is_divisible(error):
                for place in places:
                    place.error = error
                    place.is_done = True
                return
            middle = len(places) // 2
            self._run_places(places[:middle])
            self._run_places(places[middle:])
            return
        for place, outcome in zip(places, outcomes, strict=True):
            place.outcome = outcome
            place.is_done = True

    @staticmethod
    def _dismiss(places: Sequence[_Place[Item, Outcome]]) -> None:
        for place in places:
            if not place.is_done:
                place.error = RoundBroken()
                place.is_done = True
            place.wake()
