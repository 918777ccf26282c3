"""The clock's work: expiry is asked for on every shard, old commands are forgotten."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from common.ids import new_uuid
from common.valkey import get_client
from orders.commands import ExpireDue, decode_command
from orders.models import EngineCommand
from orders.services.retention import purge_engine_commands
from orders.streams import COMMAND_FIELD, command_stream, worker_key
from orders.tasks import expire_due_orders


def test_every_shard_is_told_to_expire(valkey, settings):
    settings.ENGINE_SHARDS = 2
    expire_due_orders()
    for shard in (0, 1):
        client: Any = get_client()
        ((_, fields),) = client.xrange(command_stream(shard))
        command = decode_command(fields[COMMAND_FIELD])
        assert isinstance(command, ExpireDue)
        assert command.reply_to == ""
    assert get_client().exists(worker_key())


def test_commands_older_than_a_day_are_forgotten(db, monkeypatch):
    monkeypatch.setattr("common.purging._CHUNK", 2)
    now = timezone.now()
    for age in (timedelta(hours=23), *[timedelta(hours=25)] * 5):
        EngineCommand.objects.create(
            id=new_uuid(), kind="cancel", result="done", created_at=now - age
        )
    assert purge_engine_commands() == 5
    assert EngineCommand.objects.count() == 1
