"""Many transfers at once: no deadlock shows, no money is made, one thing wins."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from django.db import IntegrityError, connection

from common.errors import ExchangeError
from common.request_keys import RequestKey, StoredAnswer
from ledger.models import IdempotencyKey, JournalEntry, LedgerAccount, Transfer
from ledger.services.transfers import making
from ledger.services.transfers.combining import Combiner
from ledger.services.transfers.executing import execute
from ledger.services.transfers.finishing import expire_transfers, post_transfer, void_transfer
from ledger.services.transfers.orders import KeyedRequest, TransferOrder, TransferOutcome
from ledger.services.wallets import close_wallet
from ledger.tests.wallets import (
    balances,
    check_books,
    code_of,
    make_wallet,
    order,
    pend,
    principal_of,
    send,
)

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(threads: int, act: Callable[[int], Any]) -> list[Any]:
    """What `act` gives for 0 … threads − 1, all started together, each on its own connection."""
    barrier = threading.Barrier(threads)

    def run(number: int) -> Any:
        try:
            barrier.wait(10)
            return act(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(threads)))


@pytest.mark.parametrize("make", ["alone", "combined"])
def test_opposite_transfers_between_two_wallets_never_stick(make: str) -> None:
    left, right = make_wallet("100"), make_wallet("100")

    def both_ways(number: int) -> list[str]:
        payer, payee = (left, right) if number % 2 else (right, left)
        codes = []
        for _ in range(5):
            one = order(payer, payee, "1")
            outcome = execute([one])[0] if make == "alone" else making.make_transfer(order=one)
            codes.append(code_of(outcome))
        return codes

    codes = [code for part in at_once(16, both_ways) for code in part]

    assert Counter(codes) == {"": 80}
    assert balances(left, right) == [(100, 0), (100, 0)]
    check_books()


def test_batches_that_cross_each_other_never_stick() -> None:
    wallets = [make_wallet("100") for _ in range(5)]

    def one_batch(number: int) -> list[str]:
        turned = wallets[number % 5 :] + wallets[: number % 5]
        turned = turned if number % 2 else turned[::-1]
        orders = [order(a, b, "1") for a, b in pairwise(turned)]
        return [code_of(outcome) for outcome in making.make_transfers(orders=orders)]

    codes = [code for part in at_once(12, one_batch) for code in part]

    assert Counter(codes) == {"": 48}
    assert sum(posted for posted, _ in balances(*wallets)) == 500
    check_books()


def test_fifty_threads_pay_one_wallet_and_take_all_it_has() -> None:
    hot, payees = make_wallet("30"), [make_wallet() for _ in range(5)]

    outcomes = at_once(50, lambda number: send(hot, payees[number % 5], "1"))

    codes = Counter(map(code_of, outcomes))
    assert codes == {"": 30, "insufficient_funds": 20}
    assert balances(hot) == [(0, 0)]
    assert Transfer.objects.filter(status="FAILED").count() == 20
    assert JournalEntry.objects.filter(kind="TRANSFER").count() == 30
    check_books()


def test_fifty_payers_of_one_wallet_all_get_through() -> None:
    hot, payers = make_wallet(), [make_wallet("10") for _ in range(10)]

    outcomes = at_once(50, lambda number: send(payers[number % 10], hot, "1"))

    assert Counter(map(code_of, outcomes)) == {"": 50}
    assert balances(hot) == [(50, 0)]
    check_books()


def test_a_poisoned_transfer_in_the_middle_harms_nobody_else() -> None:
    payer, payee = make_wallet("100"), make_wallet()
    taken = send(payer, payee).transfer
    assert taken is not None
    sizes: list[int] = []
    go_on, started = threading.Event(), threading.Event()

    def run(orders: Any) -> list[TransferOutcome]:
        sizes.append(len(orders))
        started.set()
        assert go_on.wait(10)
        return execute(orders)

    combiner: Combiner[TransferOrder, TransferOutcome] = Combiner(
        run, max_size=100, is_divisible=making._is_divisible
    )

    def submit(number: int) -> str:
        fields = {"id": taken.id} if number == 10 else {}  # an id that is stored already
        try:
            return code_of(combiner.submit(order(payer, payee, "1", **fields)))
        except IntegrityError:
            return "poisoned"
        finally:
            connection.close()

    with ThreadPoolExecutor(21) as pool:
        futures = [pool.submit(submit, 0)]
        assert started.wait(10)
        futures += [pool.submit(submit, number) for number in range(1, 21)]
        while len(combiner._waiting) < 20:
            threading.Event().wait(0.001)
        go_on.set()
        codes = [future.result(30) for future in futures]

    assert codes[10] == "poisoned"
    assert Counter(codes) == {"": 20, "poisoned": 1}
    assert sizes[:2] == [1, 20]
    assert balances(payer, payee) == [(79, 0), (21, 0)]
    check_books()


def keyed(one: TransferOrder, fingerprint: str = "f" * 64) -> TransferOrder:
    key = RequestKey("account:1", "the key", fingerprint)
    answer = KeyedRequest(key, lambda outcome: StoredAnswer(201, f"{outcome.transfer}"))
    return replace(one, request=answer)


def test_one_idempotency_key_from_twenty_threads_is_one_transfer() -> None:
    payer, payee = make_wallet("100"), make_wallet()

    def once(_: int) -> TransferOutcome:
        return making.make_transfer(order=keyed(order(payer, payee)))

    outcomes = at_once(20, once)

    made = [one for one in outcomes if one.transfer is not None]
    repeated = [one for one in outcomes if one.earlier is not None]
    assert len(made) == 1
    assert {one.earlier.body for one in repeated} <= {str(made[0].transfer)}
    assert {code_of(one) for one in outcomes if one.error} <= {"request_in_progress"}
    assert Transfer.objects.count() == IdempotencyKey.objects.count() == 1
    assert balances(payer, payee) == [(99, 0), (1, 0)]


def test_the_same_key_twice_in_one_round_is_one_transfer() -> None:
    payer, payee = make_wallet("100"), make_wallet()

    first, again, other, malformed = execute(
        [
            keyed(order(payer, payee)),
            keyed(order(payer, payee)),
            keyed(order(payer, payee), "0" * 64),
            order(payer, payer),
        ]
    )

    assert first.transfer is not None
    assert again.earlier == StoredAnswer(201, str(first.transfer))
    assert [code_of(other), code_of(malformed)] == ["idempotency_key_reused", "same_wallet"]
    assert balances(payer, payee) == [(99, 0), (1, 0)]


def test_a_malformed_transfer_leaves_its_key_free() -> None:
    payer, payee = make_wallet("100"), make_wallet()

    refused = execute([keyed(order(payer, payer))])[0]
    made = execute([keyed(order(payer, payee))])[0]

    assert code_of(refused) == "same_wallet"
    assert made.transfer is not None and made.error is None


def test_post_void_and_expiry_at_once_have_one_winner() -> None:
    payer, payee = make_wallet("100"), make_wallet()
    principal = principal_of(payer)
    for is_due in (False, True):
        transfer = pend(payer, payee, "1", is_due=is_due)
        acts: list[Callable[[], Any]] = [
            partial(post_transfer, transfer_id=transfer.id, principal=principal),
            partial(void_transfer, transfer_id=transfer.id, principal=principal),
            expire_transfers,
        ]

        def attempt(number: int, acts: list[Callable[[], Any]] = acts) -> bool:
            try:
                return bool(acts[number % 3]())
            except ExchangeError as error:
                assert error.code in ("transfer_finished", "transfer_timed_out")
                return False

        wins = at_once(9, attempt)

        assert wins.count(True) == 1
        check_books()
    assert LedgerAccount.objects.get(id=payer.id).held_amount == Decimal(0)


def test_a_wallet_is_not_closed_while_money_comes_in() -> None:
    payer, payee = make_wallet("100"), make_wallet()

    def act(number: int) -> str:
        if number:
            return code_of(send(payer, payee, "1"))
        try:
            close_wallet(wallet_id=payee.id)
        except ExchangeError as error:
            return error.code
        return "closed"

    codes = at_once(6, act)

    if codes[0] == "closed":
        assert set(codes[1:]) == {"wallet_closed"}
        assert balances(payee) == [(0, 0)]
    else:
        assert codes[0] == "wallet_not_empty"
    check_books()
