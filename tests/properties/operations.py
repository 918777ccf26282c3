"""What a venue is asked to do, as Hypothesis draws it.

`plan` chooses what the operation is about (which pending transfer, which request), before several
of them start together; what it gives does it, from any thread. It raises only what the operation
may be refused with (`refusals`), and tells the world what was booked.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar
from uuid import UUID

from common.ids import new_uuid
from common.request_keys import RequestKey, StoredAnswer
from ledger.errors import TransferTimedOut
from ledger.models import LedgerAccount, MoneyRequest
from ledger.services import (
    approve_request,
    cancel_request,
    convert,
    quote_conversion,
    reject_request,
    request_adjustment,
    request_deposit,
    request_reversal,
    request_withdrawal,
    reverse_entry,
)
from ledger.services.transfers.finishing import expire_transfers, post_transfer, void_transfer
from ledger.services.transfers.making import make_transfer, make_transfers
from ledger.services.transfers.orders import KeyedRequest, TransferOrder, TransferOutcome
from ledger.services.wallets import activate_wallet, suspend_wallet
from ledger.tests.wallets import order, principal_of
from ledger.types import TransferStatus
from orders.commands import AnyCommand
from orders.matching.types import Side
from tests.properties.world import World, owner_of

Act = Callable[[], None]

ASKED = ("DEPOSIT", "WITHDRAWAL", "GAIN", "LOSS")
DECISIONS = ("approve", "reject", "cancel")


def choose(items: list[Any], back: int) -> Any:
    """One of the latest items, counted from the newest back; None where there is none."""
    return items[-1 - back % len(items)] if items else None


@dataclass(frozen=True)
class Operation:
    """One thing that somebody asks for."""

    refusals: ClassVar[frozenset[str]] = frozenset()

    def plan(self, world: World) -> Act | None:
        """What does it; None where there is nothing that it could be about."""
        raise NotImplementedError


_NO_MONEY = frozenset({"insufficient_funds"})
_NOT_OPEN = frozenset({"wallet_not_active"})
_FAILED = frozenset({"insufficient_funds", "wallet_suspended", "linked_failed"})
_MALFORMED = frozenset({"same_wallet", "currency_mismatch"})


@dataclass(frozen=True)
class Deposit(Operation):
    """Money comes in; the same source again is the same entry."""

    client: int
    asset: str
    amount: Decimal

    def plan(self, world: World) -> Act:
        client, source_id = world.clients[self.client], new_uuid()
        book = partial(world.deposit, client, self.asset, self.amount, source_id)

        def run() -> None:
            made = book()
            world.repeats.append(lambda: _same(made.id, book().id))

        return run


@dataclass(frozen=True)
class Pay(Operation):
    """A transfer with an Idempotency-Key: in one step, or in two with a time-out of 0 or 60 s.

    It goes to the wallet that is so many `further`: of the same currency where that is even.
    """

    source: int
    further: int
    amount: Decimal
    timeout_seconds: int | None
    refusals = _FAILED | _MALFORMED

    def plan(self, world: World) -> Act:
        one = self.order(world)

        def run() -> None:
            outcome = make_transfer(order=one)
            _remember(world, one, outcome)
            if outcome.transfer is not None:
                answer = _answer(outcome)
                world.repeats.append(lambda: _same(answer, _ask_again(one).earlier))
            if outcome.error is not None:
                raise outcome.error

        return run

    def order(self, world: World, linked_id: UUID | None = None) -> TransferOrder:
        """The transfer as it is asked for; with a key, unless it is one of a batch."""
        wallets = world.wallets
        source = wallets[self.source]
        destination = wallets[(self.source + self.further) % len(wallets)]
        key = None
        if linked_id is None:
            key = KeyedRequest(
                RequestKey(f"account:{source.id}", str(new_uuid()), "f" * 64), _answer
            )
        return order(
            source,
            destination,
            self.amount,
            timeout_seconds=self.timeout_seconds,
            request=key,
            linked_id=linked_id,
        )


@dataclass(frozen=True)
class PayTogether(Operation):
    """A batch of transfers, linked or each for itself."""

    payments: tuple[Pay, ...]
    is_linked: bool
    refusals = Pay.refusals

    def plan(self, world: World) -> Act:
        linked_id = new_uuid()
        ids = [linked_id if self.is_linked else new_uuid() for _ in self.payments]
        orders = [one.order(world, id) for one, id in zip(self.payments, ids, strict=True)]

        def run() -> None:
            outcomes = make_transfers(orders=orders)
            for one, outcome in zip(orders, outcomes, strict=True):
                _remember(world, one, outcome)
            errors = [outcome.error for outcome in outcomes if outcome.error is not None]
            assert {error.code for error in errors} <= self.refusals
            assert not self.is_linked or len(errors) in (0, len(orders)), "some of the linked ones"
            if len(errors) == len(orders):
                raise errors[0]

        return run


@dataclass(frozen=True)
class PostPending(Operation):
    """A pending transfer happens: whole, or a share of it."""

    back: int
    share: Decimal | None
    # Half of the smallest unit is an invalid amount.
    refusals = _NOT_OPEN | {
        "transfer_finished",
        "transfer_timed_out",
        "amount_above_pending",
        "invalid",
    }

    def plan(self, world: World) -> Act | None:
        one: TransferOrder | None = choose(world.pending, self.back)
        if one is None:
            return None
        amount = None if self.share is None else one.amount * self.share
        payer = _wallet(world, one.source_id)

        def run() -> None:
            state = post_transfer(transfer_id=one.id, principal=principal_of(payer), amount=amount)
            assert state.posted_amount == (one.amount if amount is None else amount)
            assert one.timeout_seconds != 0, TransferTimedOut.code
            _book_transfer(world, one, state.posted_amount)
            world.pending.remove(one)

        return run


@dataclass(frozen=True)
class VoidPending(Operation):
    """One of the two sides ends a pending transfer."""

    back: int
    is_payer: bool
    refusals = frozenset({"transfer_finished"})

    def plan(self, world: World) -> Act | None:
        one: TransferOrder | None = choose(world.pending, self.back)
        if one is None:
            return None
        wallet_id = one.source_id if self.is_payer else one.destination_id
        assert wallet_id is not None
        principal = principal_of(_wallet(world, wallet_id))

        def run() -> None:
            void_transfer(transfer_id=one.id, principal=principal)
            world.pending.remove(one)

        return run


@dataclass(frozen=True)
class SweepTimeouts(Operation):
    """The clock's job frees what has timed out."""

    def plan(self, world: World) -> Act:
        return lambda: _no_answer(expire_transfers())


@dataclass(frozen=True)
class Quote(Operation):
    """A rate for selling an amount of one currency for the other."""

    wallet: int
    amount: Decimal
    refusals = frozenset({"amount_too_small", "wallet_not_active"})

    def plan(self, world: World) -> Act:
        source, other = world.wallets[self.wallet], world.wallets[self.wallet ^ 1]

        def run() -> None:
            quote = quote_conversion(
                from_wallet_id=source.id, to_wallet_id=other.id, sell_amount=self.amount
            )
            world.quotes.append(quote.id)

        return run


@dataclass(frozen=True)
class Convert(Operation):
    """A quote is used; once more it is answered as it was."""

    back: int
    refusals = _NO_MONEY | _NOT_OPEN | {"quote_expired"}

    def plan(self, world: World) -> Act | None:
        quote_id = choose(world.quotes, self.back)
        if quote_id is None:
            return None

        def run() -> None:
            used = convert(quote_id=quote_id, actor="test")
            assert used.entry_id is not None
            owner = owner_of(used.source)
            sold, bought = used.source.asset.code, used.destination.asset.code
            world.book(
                used.entry_id,
                (owner, sold, -used.sell_amount),
                ("CONVERSION", sold, used.sell_amount),
                ("CONVERSION", bought, -used.buy_amount),
                (owner, bought, used.buy_amount),
            )
            entry_id = used.entry_id
            again = partial(convert, quote_id=quote_id, actor="test")
            world.repeats.append(lambda: _same(entry_id, again().entry_id))

        return run


@dataclass(frozen=True)
class Ask(Operation):
    """A deposit, a withdrawal or an adjustment (also downwards) is asked for."""

    kind: str
    wallet: int
    amount: Decimal
    refusals = _NO_MONEY | _NOT_OPEN

    def plan(self, world: World) -> Act:
        wallet, person = world.wallets[self.wallet], world.staff[0]
        given: dict[str, Any] = {"reason": "a reason", "actor": "test"}

        def run() -> None:
            if self.kind == "DEPOSIT":
                made = request_deposit(wallet_id=wallet.id, amount=self.amount, **given)
            elif self.kind == "WITHDRAWAL":
                made = request_withdrawal(wallet_id=wallet.id, amount=self.amount, **given)
            else:
                amount = self.amount if self.kind == "GAIN" else -self.amount
                made = request_adjustment(
                    ledger_account_id=wallet.id, amount=amount, user_id=person, **given
                )
            world.requests.append(made.id)

        return run


@dataclass(frozen=True)
class AskReversal(Operation):
    """Somebody of staff asks for the reversal of an entry."""

    back: int
    refusals = frozenset({"entry_not_reversible", "entry_reversed", "reversal_requested"})

    def plan(self, world: World) -> Act | None:
        entry_id = choose(list(world.told), self.back)

        def run() -> None:
            made = request_reversal(
                entry_id=entry_id, reason="a mistake", actor="test", user_id=world.staff[0]
            )
            world.requests.append(made.id)

        return run


@dataclass(frozen=True)
class Reverse(Operation):
    """A program reverses an entry; once more it is the same reversal."""

    back: int
    refusals = _NO_MONEY | {"entry_not_reversible"}

    def plan(self, world: World) -> Act | None:
        entry_id = choose(list(world.told), self.back)
        reverse = partial(reverse_entry, entry_id=entry_id, reason="a mistake", actor="test")

        def run() -> None:
            made = reverse()
            world.book_reversal(made.id, entry_id)
            world.repeats.append(lambda: _same(made.id, reverse().id))

        return run


@dataclass(frozen=True)
class Decide(Operation):
    """A person of staff approves or rejects a request, or its asker takes it back."""

    decision: str
    back: int
    person: int
    refusals = _NO_MONEY | _NOT_OPEN | {"request_not_open", "own_request", "already_decided"}

    def plan(self, world: World) -> Act | None:
        request_id = choose(world.requests, self.back)
        if request_id is None:
            return None
        person = world.staff[self.person]

        def run() -> None:
            if self.decision == "cancel":
                decided = cancel_request(request_id=request_id, actor="test")
            elif self.decision == "reject":
                decided = reject_request(request_id=request_id, user_id=person, note="no")
            else:
                decided = approve_request(request_id=request_id, user_id=person)
                _book_request(world, decided)
            if decided.status != "REQUESTED":
                world.requests.remove(request_id)

        return run


@dataclass(frozen=True)
class SetWallet(Operation):
    """Staff suspend a wallet, or let it go on."""

    wallet: int
    is_active: bool
    refusals = _NOT_OPEN

    def plan(self, world: World) -> Act:
        change = activate_wallet if self.is_active else suspend_wallet
        wallet_id = world.wallets[self.wallet].id
        return lambda: _no_answer(change(wallet_id=wallet_id))


@dataclass(frozen=True)
class Trade(Operation):
    """An order for the share, at a price in cents; or (quantity 0) an earlier one is canceled."""

    client: int
    side: Side
    quantity: int
    price: int | None
    back: int = field(default=0)

    def command(self, world: World) -> AnyCommand | None:
        """What the engine is sent."""
        if self.quantity:
            placed = world.harness.place_command(
                world.clients[self.client], self.side, self.quantity, self.price
            )
            world.orders.append(placed)
            return placed
        earlier = choose(world.orders, self.back)
        if earlier is None:
            return None
        owner = next(one for one in world.clients if one.id == earlier.account_id)
        return world.harness.cancel_command(owner, earlier.command_id)

    def plan(self, world: World) -> Act | None:
        command = self.command(world)
        return None if command is None else lambda: _no_answer(world.trade([command]))


@dataclass(frozen=True)
class Again(Operation):
    """Something that was done is asked for once more, as it was."""

    back: int

    def plan(self, world: World) -> Act | None:
        repeat: Act | None = choose(world.repeats, self.back)
        return repeat


def _ask_again(one: TransferOrder) -> TransferOutcome:
    """The same request with the same key, which the ledger reads as a new transfer."""
    return make_transfer(order=replace(one, id=new_uuid()))


def _remember(world: World, one: TransferOrder, outcome: TransferOutcome) -> None:
    """What follows from the answer to a transfer."""
    if outcome.transfer is None or outcome.transfer.status == TransferStatus.FAILED:
        assert outcome.error is not None
    elif outcome.transfer.status == TransferStatus.PENDING:
        world.pending.append(one)
    else:
        _book_transfer(world, one, outcome.transfer.posted_amount)


def _book_transfer(world: World, one: TransferOrder, amount: Decimal | None) -> None:
    assert one.destination_id is not None and amount is not None
    source, destination = _wallet(world, one.source_id), _wallet(world, one.destination_id)
    asset = source.asset.code
    lines = (owner_of(source), asset, -amount), (owner_of(destination), asset, amount)
    world.book(one.id, *lines)


def _book_request(world: World, request: MoneyRequest) -> None:
    if request.entry_id is None:
        assert request.status in ("REQUESTED", "FAILED")
    elif request.reversed_entry_id is not None:
        world.book_reversal(request.entry_id, request.reversed_entry_id)
    else:
        assert request.ledger_account is not None and request.amount is not None
        wallet = _wallet(world, request.ledger_account.id)
        amount = -request.amount if request.kind == "WITHDRAWAL" else request.amount
        world.book_against(request.entry_id, "TRANSIT", wallet, amount)


def _wallet(world: World, wallet_id: int) -> LedgerAccount:
    return next(wallet for wallet in world.wallets if wallet.id == wallet_id)


def _answer(outcome: TransferOutcome) -> StoredAnswer:
    code = "" if outcome.error is None else outcome.error.code
    return StoredAnswer(422 if code else 201, f"{outcome.transfer} {code}")


def _same(first: object, again: object) -> None:
    assert first == again, "the same request was answered in another way"


def _no_answer(_: object) -> None:
    """For what is done without an answer that matters."""
