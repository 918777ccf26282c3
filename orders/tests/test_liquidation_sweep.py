"""The sweep: who gets a command, who gets none, and two sweeps at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
from django.db import connection

from brokers.models import TradingAccount, WebhookDelivery
from brokers.services.house import get_insurance_account_id
from brokers.tests.factories import WebhookEndpointFactory
from common.caching import clear_all_caches
from common.valkey import get_client, key
from margin.models import MarginCall
from margin.selectors.liquidations import list_accounts_to_liquidate
from margin.tests.factories import (
    make_asset,
    make_margin_account,
    make_perpetual,
    make_position,
    set_mark,
)
from marketdata.models import Instrument
from orders.commands import LiquidateAccount, decode_command
from orders.errors import EngineUnavailable
from orders.services import liquidations
from orders.streams import COMMAND_FIELD, alive_key, command_stream
from orders.tasks import sweep_liquidations as sweep_task

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def bitcoin(valkey: Any) -> Instrument:
    """A perpetual on a shard that seems to be alive, so that commands stay in its stream."""
    instrument = make_perpetual()
    get_client().set(alive_key(instrument.shard), 1)
    clear_all_caches()
    return instrument


def make_long(bitcoin: Instrument, collateral: str, document: str = "1") -> TradingAccount:
    account = make_margin_account(collateral, document=document)
    make_position(account, bitcoin, "0.1", "50000")
    return account


def sent(shard: int = 0) -> list[LiquidateAccount]:
    """The commands in the stream."""
    entries: Any = get_client().xrange(command_stream(shard))
    commands = [decode_command(fields[COMMAND_FIELD]) for _, fields in entries]
    assert all(isinstance(command, LiquidateAccount) for command in commands)
    return commands  # type: ignore[return-value]


def sweep_liquidations() -> int:
    return liquidations.sweep_liquidations(list_accounts_to_liquidate())


def test_a_command_for_each_account_the_deepest_first(bitcoin: Instrument) -> None:
    near, deep = make_long(bitcoin, "400", "1"), make_long(bitcoin, "10", "2")
    make_long(bitcoin, "600", "3")

    assert sweep_liquidations() == 2

    fund, asset = get_insurance_account_id(), make_asset("USDT").id
    assert [
        (one.account_id, one.asset_id, one.fund_account_id, one.actor, one.reply_to)
        for one in sent()
    ] == [(deep.id, asset, fund, "venue", ""), (near.id, asset, fund, "venue", "")]
    assert len({one.command_id for one in sent()}) == 2


def test_what_was_sent_is_not_sent_again_at_once(bitcoin: Instrument, monkeypatch: Any) -> None:
    monkeypatch.setattr(liquidations, "RESENT_AFTER_SECONDS", 1)
    account = make_long(bitcoin, "400")

    assert [sweep_liquidations() for _ in range(3)] == [1, 0, 0]
    assert sweep_liquidations() == 0
    name = key(f"liquidations:sent:{account.id}:{make_asset('USDT').id}")
    assert 0 < int(get_client().ttl(name)) <= 1  # type: ignore[arg-type]

    get_client().delete(name)

    assert sweep_liquidations() == 1
    assert len({one.command_id for one in sent()}) == 2


def test_a_sweep_sends_so_many_and_the_next_one_the_others(
    bitcoin: Instrument, monkeypatch: Any
) -> None:
    monkeypatch.setattr(liquidations, "SENT_MAX", 2)
    accounts = [make_long(bitcoin, str(number), f"D{number}") for number in range(1, 6)]

    assert [sweep_liquidations() for _ in range(4)] == [2, 2, 1, 0]
    assert [one.account_id for one in sent()] == [account.id for account in accounts]


def test_two_sweeps_at_once_send_one_command(bitcoin: Instrument) -> None:
    accounts = [make_long(bitcoin, "1", f"D{number}") for number in range(20)]
    start = threading.Barrier(4)

    def sweep(_: int) -> int:
        start.wait()
        try:
            return sweep_liquidations()
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(sweep, range(4)))

    assert sum(counts) == len(accounts)
    assert sorted(one.account_id for one in sent()) == [account.id for account in accounts]


def test_without_an_engine_nothing_piles_up(bitcoin: Instrument) -> None:
    make_long(bitcoin, "400")
    get_client().delete(alive_key(bitcoin.shard))
    clear_all_caches()

    assert sweep_liquidations() == 0
    assert sent() == []

    get_client().set(alive_key(bitcoin.shard), 1)
    clear_all_caches()

    assert sweep_liquidations() == 1


def test_a_full_queue_is_left_alone(bitcoin: Instrument, settings: Any) -> None:
    make_long(bitcoin, "400")
    settings.ENGINE_BACKLOG_MAX = 0
    get_client().xadd(command_stream(0), {COMMAND_FIELD: b""})
    clear_all_caches()

    assert sweep_liquidations() == 0
    assert get_client().xlen(command_stream(0)) == 1


def test_valkey_away_in_between_is_told(bitcoin: Instrument, monkeypatch: Any) -> None:
    make_long(bitcoin, "400")

    def fail(*_: Any) -> None:
        raise redis.ConnectionError("gone")

    monkeypatch.setattr(get_client(), "mget", fail)

    with pytest.raises(EngineUnavailable):
        sweep_liquidations()
    assert sent() == []


# --- the task -------------------------------------------------------------------------------------


def test_the_task_liquidates_calls_and_tells(bitcoin: Instrument, valkey: Any) -> None:
    account = make_long(bitcoin, "450")
    WebhookEndpointFactory.create(broker=account.broker)

    assert sweep_task() == 1

    assert MarginCall.objects.filter(account=account, resolved_at=None).count() == 2
    assert WebhookDelivery.objects.filter(event="margin_call").count() == 2
    assert valkey.exists(key("webhooks:nudged"))


def test_calls_are_made_also_where_no_engine_lives(bitcoin: Instrument) -> None:
    make_long(bitcoin, "450")
    get_client().delete(alive_key(bitcoin.shard))
    clear_all_caches()

    assert sweep_task() == 0
    assert MarginCall.objects.count() == 2


def test_however_many_marks_queue_one_sweep(bitcoin: Instrument, valkey: Any) -> None:
    for _ in range(5):
        liquidations.nudge_sweep()
    assert valkey.llen(key("celery:risk")) == 1

    sweep_task()
    set_mark(bitcoin, "49000")
    liquidations.nudge_sweep()

    assert valkey.llen(key("celery:risk")) == 2
