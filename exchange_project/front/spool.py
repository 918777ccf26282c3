"""A response on its way from a fast writer to a slow reader: in memory at first, then in a file.

So a Django thread is free as soon as it has produced a response, whoever reads it how slowly.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator

_MEMORY_BYTES = 1_048_576
# A response of this size is no longer read ahead of its reader.
_AHEAD_BYTES_MAX = 2_147_483_648
_CHUNK_BYTES = 262_144


class Spool:
    """Bytes that one task adds and another one reads, in their order."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=_MEMORY_BYTES)  # noqa: SIM115
        self._written = self._read = 0
        self._is_complete = self._is_abandoned = False
        self._error: BaseException | None = None
        self._lock = asyncio.Lock()
        self._changed = asyncio.Event()

    async def fill(self, source: AsyncIterator[bytes]) -> None:
        """Add all that `source` gives. What it raises is raised by `chunks`."""
        try:
            async for chunk in source:
                await self._write(chunk)
                while self._written - self._read > _AHEAD_BYTES_MAX and not self._is_abandoned:
                    self._changed.clear()
                    await self._changed.wait()
                if self._is_abandoned:
                    return
        except Exception as error:
            self._error = error
        finally:
            self._is_complete = True
            self._changed.set()

    async def chunks(self) -> AsyncIterator[bytes]:
        """What was added, as it comes."""
        while True:
            if self._read < self._written:
                chunk = await self._take()
                self._changed.set()
                yield chunk
            elif self._error is not None:
                raise self._error
            elif self._is_complete:
                return
            else:
                self._changed.clear()
                await self._changed.wait()

    def abandon(self) -> None:
        """Drop what was not read; `fill` ends early."""
        self._is_abandoned = True
        self._file.close()
        self._changed.set()

    async def _write(self, chunk: bytes) -> None:
        async with self._lock:
            if self._is_abandoned:
                return
            is_in_memory = self._written + len(chunk) <= _MEMORY_BYTES
            await self._call(is_in_memory, self._append, chunk)
            self._written += len(chunk)
        self._changed.set()

    async def _take(self) -> bytes:
        async with self._lock:
            chunk: bytes = await self._call(self._written <= _MEMORY_BYTES, self._next)
            self._read += len(chunk)
            return chunk

    async def _call(self, is_in_memory: bool, call, *arguments):  # type: ignore[no-untyped-def]
        """Work on memory at once, on a file in a thread."""
        return call(*arguments) if is_in_memory else await asyncio.to_thread(call, *arguments)

    def _append(self, chunk: bytes) -> None:
        self._file.seek(self._written)
        self._file.write(chunk)

    def _next(self) -> bytes:
        self._file.seek(self._read)
        return self._file.read(_CHUNK_BYTES)
