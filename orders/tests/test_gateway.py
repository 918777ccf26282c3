"""The gateway against a peer on a real Valkey: replies, silence, errors, forks, restarts."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from common.errors import OutcomeUnknown
from common.ids import new_uuid
from common.valkey import get_client
from embedded.services import temporary_services
from orders import gateway
from orders.commands import AnyCommand, CancelOrder, CommandOutcome, ExpireDue, decode_command
from orders.errors import EngineUnavailable, TooManyOrdersWaiting, VenueBusy
from orders.gateway import replies
from orders.gateway.process import drop_link, get_link
from orders.models import EngineCommand
from orders.streams import COMMAND_FIELD, alive_key, command_stream
from orders.tests.standin import StandIn

pytestmark = pytest.mark.usefixtures("valkey")


def cancel() -> CancelOrder:
    return CancelOrder(new_uuid().bytes, "", new_uuid().bytes, new_uuid().bytes, None)


def submit(command: AnyCommand, timeout: float = 2, caller: str | None = None) -> str:
    """The result of a command to shard 0."""
    outcome = gateway.submit(command, 0, timeout=timeout, caller=caller)
    assert isinstance(outcome, CommandOutcome)
    return outcome.result


def done(command) -> CommandOutcome:
    return CommandOutcome(command.command_id, "done")


def silence(command) -> None:
    return None


def stream_entries(shard: int = 0):
    return get_client().xrange(command_stream(shard))


def test_outcome_of_the_engine_is_returned():
    command = cancel()
    with StandIn(done):
        assert gateway.submit(command, 0, timeout=2) == done(command)
    assert get_link().waiting_count == 0


def test_each_of_many_threads_gets_its_own_outcome():
    commands = [cancel() for _ in range(500)]
    with StandIn(done), ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(lambda c: gateway.submit(c, 0, timeout=5), commands))
    assert outcomes == [done(command) for command in commands]


def test_commands_go_together_and_keep_their_order():
    commands = [cancel() for _ in range(50)]
    with StandIn(done), StandIn(done, shard=1):
        outcomes = gateway.submit_all([(c, i % 2) for i, c in enumerate(commands)], timeout=2)
    assert outcomes == [done(command) for command in commands]
    assert len(stream_entries(0)) == len(stream_entries(1)) == 25


def test_without_engine_nothing_is_sent():
    with pytest.raises(EngineUnavailable):
        gateway.submit(cancel(), 0, timeout=1)
    assert stream_entries() == []


def test_a_long_queue_turns_orders_away(settings):
    settings.ENGINE_BACKLOG_MAX = 2
    get_client().set(alive_key(0), 1)
    for _ in range(3):
        gateway.send(ExpireDue(new_uuid().bytes, ""), 0)
    with pytest.raises(VenueBusy):
        gateway.submit(cancel(), 0, timeout=1)
    assert len(stream_entries()) == 3


def test_a_caller_gets_no_more_than_its_share_of_the_backlog(settings):
    settings.ENGINE_BACKLOG_MAX_PER_KEY = 3
    release = threading.Event()

    def answer_late(command):
        release.wait(5)
        return done(command)

    with StandIn(answer_late), ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(submit, cancel(), 5, "greedy") for _ in range(3)]
        while len(stream_entries()) < 3:
            time.sleep(0.01)
        with pytest.raises(TooManyOrdersWaiting) as refusal:
            submit(cancel(), 5, "greedy")
        assert refusal.value.status == 429
        assert len(stream_entries()) == 3
        other = pool.submit(submit, cancel(), 5, "modest")
        unnamed = pool.submit(submit, cancel(), 5)
        release.set()
        assert [future.result() for future in (*waiting, other, unnamed)] == ["done"] * 5
        assert submit(cancel(), 5, "greedy") == "done"


def test_a_process_holds_a_bounded_number_of_commands(settings):
    settings.ENGINE_BACKLOG_MAX = 4
    get_client().set(alive_key(0), 1)
    with pytest.raises(VenueBusy):
        gateway.submit_all([(cancel(), 0) for _ in range(9)], timeout=1)
    assert stream_entries() == []


@pytest.mark.django_db(transaction=True)
def test_a_lost_reply_is_found_in_the_database():
    command = cancel()

    def store_and_be_silent(_):
        from django.db import connection
        from django.utils import timezone

        EngineCommand.objects.create(
            id=UUID(bytes=command.command_id),
            kind="cancel",
            result="canceled",
            created_at=timezone.now(),
        )
        connection.close()

    with StandIn(store_and_be_silent):
        outcome = gateway.submit(command, 0, timeout=3)
    assert outcome == CommandOutcome(command.command_id, "canceled")


@pytest.mark.django_db(transaction=True)
def test_silence_to_the_end_names_the_order():
    command = cancel()
    with StandIn(silence), pytest.raises(OutcomeUnknown) as refusal:
        gateway.submit(command, 0, timeout=0)
    assert refusal.value.facts == {"order_id": str(UUID(bytes=command.order_id))}
    assert get_link().waiting_count == 0


def test_a_forked_child_listens_for_itself():
    with StandIn(done):
        gateway.submit(cancel(), 0, timeout=2)
        address = get_link().address
        child = os.fork()
        if child == 0:
            result = submit(cancel())
            own_address = get_link().address != address
            os._exit(0 if result == "done" and own_address else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert submit(cancel()) == "done"


def test_a_link_whose_loop_ended_is_replaced():
    with StandIn(done):
        gateway.submit(cancel(), 0, timeout=2)
        link = get_link()
        link.loop.call_soon_threadsafe(link.closed.set)
        while link.loop.is_running():
            time.sleep(0.01)
        assert submit(cancel()) == "done"
        assert get_link() is not link


@pytest.fixture
def own_valkey(settings):
    """A Valkey of the test's own, to be killed and started again."""
    with temporary_services(postgres=False) as services:
        settings.REDIS_URL = services.redis_url
        get_client.cache_clear()
        drop_link()
        yield services
        drop_link()
    get_client.cache_clear()


def test_the_listener_outlives_idleness_and_a_restart_of_valkey(own_valkey, monkeypatch):
    monkeypatch.setattr(replies, "_HEALTH_CHECK_SECONDS", 0.1)
    with StandIn(done):
        gateway.submit(cancel(), 0, timeout=2)
        time.sleep(1)
        link = get_link()
        assert submit(cancel()) == "done"
    own_valkey.kill_valkey()
    time.sleep(0.15)
    started = time.monotonic()
    with pytest.raises(EngineUnavailable):
        gateway.submit(cancel(), 0, timeout=2)
    assert time.monotonic() - started < 1
    own_valkey.restart_valkey()
    with StandIn(done):
        assert submit(cancel(), 3) == "done"
        started = time.monotonic()
        assert submit(cancel(), 3) == "done"
        assert time.monotonic() - started < 0.5
    assert get_link() is link


@pytest.mark.django_db(transaction=True)
def test_a_command_into_a_frozen_server_is_sent_once_and_still_answered(own_valkey):
    warm, command = cancel(), cancel()
    with StandIn(done):
        gateway.submit(warm, 0, timeout=2)
        own_pid = own_valkey.pids["valkey"]
        os.kill(own_pid, signal.SIGSTOP)
        thaw = threading.Timer(1.3, os.kill, (own_pid, signal.SIGCONT))
        thaw.start()
        outcome = gateway.submit(command, 0, timeout=3)
        thaw.join()
    assert outcome == done(command)
    sent = [decode_command(fields[COMMAND_FIELD]).command_id for _, fields in stream_entries()]
    assert sent.count(command.command_id) == 1
