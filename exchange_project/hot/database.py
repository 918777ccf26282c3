"""The hot lane's own connections to PostgreSQL: for the reads of the event loop, prepared there.

They are few, since a read takes well under a millisecond. A server that does not answer is waited
for as long as a statement may take, then the request is refused.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from common.database import database_dsn
from common.errors import VenueUnavailable

CONNECTIONS_MAX = 4
_WAIT_SECONDS = 2.0
_STATEMENT_SECONDS = 5.0

_pool: AsyncConnectionPool[Any] | None = None


async def fetch(statement: str, *parameters: Any) -> Sequence[Sequence[Any]]:
    """All rows of a read.

    Raises:
        VenueUnavailable: the database is not there, or does not answer in time.
    """
    pool = await _get_pool()
    try:
        async with asyncio.timeout(_STATEMENT_SECONDS), pool.connection(_WAIT_SECONDS) as session:
            cursor = await session.execute(statement, parameters)
            return await cursor.fetchall()
    except (psycopg.OperationalError, PoolTimeout, TimeoutError) as error:
        raise VenueUnavailable from error


async def close() -> None:
    """Close the connections; the next read opens others."""
    global _pool
    pool, _pool = _pool, None
    if pool is not None:
        await pool.close()


async def _get_pool() -> AsyncConnectionPool[Any]:
    global _pool
    if _pool is None:
        _pool = AsyncConnectionPool(
            database_dsn("options", "connect_timeout"),
            min_size=0,
            max_size=CONNECTIONS_MAX,
            open=False,
            kwargs={"autocommit": True, "prepare_threshold": 0},
            check=None,
        )
        await _pool.open()
    return _pool
