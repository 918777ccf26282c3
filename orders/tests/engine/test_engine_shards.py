"""Two shards at the same accounts, with services beside them: nobody overspends or stands still."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connections

from ledger.models import LedgerAccount
from marketdata.models import Asset, Instrument
from orders.models import Order
from orders.tests.engine.harness import BUY, SELL, Harness, Venue, change, fund, make_account
from orders.tests.engine.invariants import check_all

ORDERS = 120


def in_threads(*works: Callable[[], None]) -> None:
    """Run all at once; the first error of any is raised."""
    errors: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def listed_on_shard_1(venue: Venue) -> Instrument:
    share = Asset.objects.create(code="OTHER", kind="SECURITY", scale=0)
    return Instrument.objects.create(
        symbol="OTHER",
        kind="EQUITY",
        base_asset=share,
        quote_asset=venue.usd,
        tick_size=venue.instrument.tick_size,
        lot_size=1,
        price_rule="SELLER",
        taker_fee_rate="0.002",
        shard=1,
    )


@pytest.fixture
def engines(venue: Venue) -> Iterator[list[Harness]]:
    """The engines of two shards with an instrument each."""
    both = [Harness(venue.instrument), Harness(listed_on_shard_1(venue), shard=1)]
    yield both
    for harness in both:
        harness.stop()


def test_shards_and_services_share_accounts(
    venue: Venue, engines: list[Harness], settings: Any
) -> None:
    settings.ENGINE_BATCH_MAX = 10
    change(venue.instrument, maker_fee_rate="0.001", taker_fee_rate="0.001")
    accounts = [make_account("PREFUNDED", name=f"P{i}") for i in range(4)]
    for account in accounts:
        fund(account, "USD", "60")
        fund(account, "ACME", "40")
        fund(account, "OTHER", "40")
    for number in range(ORDERS):
        account = accounts[number * 7 % 4]
        for harness in engines:
            side = BUY if (number * 5 + harness.shard) % 3 else SELL
            price = 96 + number * 11 % 9
            harness.send(harness.place_command(account, side, 1 + number % 5, price))

    def drain(harness: Harness) -> None:
        last_id = harness.engine._inbox.last_waiting_id()
        while harness.engine.state.last_id != last_id:
            harness.engine.turn()

    def deposit() -> None:
        for number in range(20):
            fund(accounts[number % 4], "USD", "1")

    in_threads(*[lambda harness=harness: drain(harness) for harness in engines], deposit)

    # An engine that could not carry a command out would not have stored it.
    assert Order.objects.count() == 2 * ORDERS
    assert Order.objects.filter(status="FILLED", instrument__shard=0).exists()
    assert Order.objects.filter(status="FILLED", instrument__shard=1).exists()
    assert Order.objects.filter(reason="insufficient_funds").exists()
    fees = LedgerAccount.objects.filter(kind="FEES").order_by("shard")
    assert [row.shard for row in fees] == [0, 1]
    for harness in engines:
        check_all(harness.engine)
