"""A peer that answers commands over a real Valkey, for tests of web's side of the protocol."""

import threading
from collections.abc import Callable
from typing import Any

from common.valkey import get_client, new_listener_client
from orders.commands import AnyCommand, AnyOutcome, decode_command, encode
from orders.streams import COMMAND_FIELD, alive_key, command_stream, reply_channel

Answer = Callable[[AnyCommand], AnyOutcome | None]


class StandIn:
    """Reads the stream of a shard and publishes what `answer` says; None is silence."""

    def __init__(self, answer: Answer, *, shard: int = 0) -> None:
        self.answer = answer
        self.shard = shard
        self.commands: list[AnyCommand] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "StandIn":
        get_client().set(alive_key(self.shard), 1)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        get_client().delete(alive_key(self.shard))

    def _run(self) -> None:
        client: Any = new_listener_client()
        last_id = "0-0"
        while not self._ended.is_set():
            for _, entries in client.xread({command_stream(self.shard): last_id}, block=50) or []:
                for entry_id, fields in entries:
                    last_id = entry_id
                    self._take(client, decode_command(fields[COMMAND_FIELD]))
        client.close()

    def _take(self, client: Any, command: AnyCommand) -> None:
        self.commands.append(command)
        outcome = self.answer(command)
        if outcome is not None:
            client.publish(reply_channel(command.reply_to), encode([outcome]))
