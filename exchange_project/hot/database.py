"""The hot lane's own connections to PostgreSQL: for the reads of the event loop, prepared there.

They are few, since a read takes well under a millisecond. A server that does not answer is waited
for briefly, then the request is refused.
"""

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from common.bounded_connections import BoundedAsyncConnection, ServerSilent
from common.database import database_dsn
from common.errors import VenueUnavailable

CONNECTIONS_MAX = 4
_WAIT_SECONDS = 2.0
# A connection that broke, and one that the server ended: its shutdown, a crash of a neighbor.
_LOST_STATES = (None, "57P01", "57P02")

_Pool = AsyncConnectionPool[BoundedAsyncConnection]
_pool: _Pool | None = None


async def fetch(statement: str, *parameters: Any) -> Sequence[Sequence[Any]]:
    """All rows of a read.

    Raises:
        VenueUnavailable: the database is not there, or does not answer in time.
    """
    pool = await _get_pool()
    tries = 0
    while True:
        tries += 1
        try:
            async with pool.connection(_WAIT_SECONDS) as session:
                cursor = await session.execute(statement, parameters)
                return await cursor.fetchall()
        except (PoolTimeout, ServerSilent) as error:
            raise VenueUnavailable from error
        except psycopg.OperationalError as error:
            # Connections of a server that was restarted meanwhile find that out at their next use.
            if error.sqlstate not in _LOST_STATES or tries > CONNECTIONS_MAX:
                raise VenueUnavailable from error


async def close() -> None:
    """Close the connections; the next read opens others."""
    global _pool
    pool, _pool = _pool, None
    if pool is not None:
        await pool.close()


async def _get_pool() -> _Pool:
    global _pool
    if _pool is None:
        _pool = AsyncConnectionPool(
            database_dsn("options", "connect_timeout"),
            connection_class=BoundedAsyncConnection,
            min_size=0,
            max_size=CONNECTIONS_MAX,
            open=False,
            kwargs={"autocommit": True, "prepare_threshold": 0},
            check=None,
            # A connection that cannot be made is tried again by the next read, not by the pool,
            # whose pauses grow.
            reconnect_timeout=0.0,
        )
        await _pool.open()
    return _pool
