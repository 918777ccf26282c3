"""The sweep: who is below the maintenance margin is sent to the engine, which looks again.

So a sweep may be wrong and may run twice at the same time: an account that carries its positions
after all is left alone. A command is not sent again while it may still be on its way.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import compress
from typing import Any

import redis

from brokers.services.house import get_insurance_account_id
from common.errors import VenueUnavailable
from common.ids import new_uuid
from common.nudges import Nudge
from common.valkey import get_client, key
from margin.selectors.liquidations import NearAccount
from orders import gateway
from orders.commands import LiquidateAccount
from orders.errors import EngineUnavailable

logger = logging.getLogger(__name__)

# Liquidations are large commands: the engine shall also do something else between two sweeps.
SENT_MAX = 500
# For how long an account is not sent again.
RESENT_AFTER_SECONDS = 3
_ACTOR = "venue"
_NUDGE = Nudge("orders.tasks.sweep_liquidations", "liquidations:nudged")


def sweep_liquidations(accounts: Iterable[NearAccount]) -> int:
    """Send a command for each account that must be liquidated, in their order; wait for none.

    Returns how many were sent. A shard whose engine does not live or has too much to do is left
    for the next sweep.

    Raises:
        EngineUnavailable: Valkey does not answer; nothing was sent.
    """
    shards: dict[int, list[NearAccount]] = defaultdict(list)
    for account in accounts:
        if account.must_be_liquidated:
            shards[account.shard].append(account)
    return sum(_sweep_shard(shard, found) for shard, found in shards.items())


def nudge_sweep() -> None:
    """Have a sweep run soon, since a mark has changed; however many nudges queue a single run."""
    _NUDGE.give()


def forget_nudge() -> None:
    """A sweep begins: what changes from now on is for the next one."""
    _NUDGE.forget()


def _sweep_shard(shard: int, accounts: Sequence[NearAccount]) -> int:
    try:
        gateway.check_shard_open(shard)
    except VenueUnavailable as error:
        logger.warning("%d liquidations wait for shard %d: %s", len(accounts), shard, error)
        return 0
    wanted = _claim(accounts)
    if wanted:
        fund_id = get_insurance_account_id()
        gateway.send_all([_command(account, fund_id) for account in wanted], shard)
    return len(wanted)


def _claim(accounts: Sequence[NearAccount]) -> list[NearAccount]:
    """The first ones that no sweep of the last seconds has sent; nobody else sends them now."""
    client = get_client()
    names = [key(f"liquidations:sent:{one.account_id}:{one.asset_id}") for one in accounts]
    try:
        # Valkey's answers are typed for its asynchronous client too.
        sent: Any = client.mget(names)
        free = [index for index, mark in enumerate(sent) if mark is None][:SENT_MAX]
        commands = client.pipeline(transaction=False)
        for index in free:
            commands.set(names[index], 1, nx=True, ex=RESENT_AFTER_SECONDS)
        claimed = commands.execute()
    except redis.RedisError as error:
        raise EngineUnavailable("The command queue does not answer") from error
    return [accounts[index] for index in compress(free, claimed)]


def _command(account: NearAccount, fund_id: int) -> LiquidateAccount:
    return LiquidateAccount(
        command_id=new_uuid().bytes,
        reply_to="",
        account_id=account.account_id,
        asset_id=account.asset_id,
        fund_account_id=fund_id,
        actor=_ACTOR,
    )
