"""Statements prepared once per connection and sent through `psycopg.pq`, many in a round trip.

For a process that runs the same few statements thousands of times a second. A cursor adapts
parameters, looks for a prepared statement and builds a result for each execution; here a parameter
is encoded by its type, in binary where that is cheap, and results are binary.

A statement is its text, in psycopg's style (`%s` or `%(name)s`), so that set-based SQL can be
shared with code that uses cursors. It is prepared on first use, once for each tuple of parameter
types. Parameters whose type the text does not reveal need a cast (`%s::bigint[]`).

While a round trip is open, the connection is in pipeline mode and cursors must not be used on it.
Between round trips it is an ordinary connection.
"""

import re
import struct
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from select import POLLIN, POLLOUT, poll
from typing import Any, NamedTuple

import psycopg
import psycopg.abc
from psycopg.adapt import Transformer
from psycopg.pq import ConnStatus, ExecStatus, Format

from common.postgres_arrays import BigintArray, NumericArray, UuidArray

_UNKNOWN, _BIGINT, _TEXT_ARRAY, _TIMESTAMPTZ = 0, 20, 1009, 1184
_BIGINT_ARRAY, _NUMERIC_ARRAY, _UUID_ARRAY = 1016, 1231, 2951
_TEXT = 25
_PLACEHOLDER = re.compile(r"%(?:%|s|\((\w+)\)s)")
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_INT8 = struct.Struct(">q")
_LENGTH = struct.Struct(">i")
_ARRAY_HEADER = struct.Struct(">iiiii")
_EMPTY_ARRAY = struct.Struct(">iii")
# A statement whose plan does not fit the tables any more, and one that somebody deallocated.
_STALE_STATES = frozenset({"0A000", "26000"})

_Encode = Callable[[Any], bytes]


class Reply:
    """What a statement returned; filled when its round trip has been waited for."""

    __slots__ = ("_result", "_transformer")

    def __init__(self, transformer: "psycopg.abc.Transformer") -> None:
        self._transformer = transformer
        self._result: Any = None

    @property
    def rowcount(self) -> int:
        """How many rows the statement returned or changed."""
        assert self._result is not None, "the round trip is not complete"
        affected = self._result.command_tuples
        return -1 if affected is None else affected

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows."""
        result = self._result
        assert result is not None, "the round trip is not complete"
        row_count = result.ntuples
        if not row_count:
            return []
        self._transformer.set_pgresult(result)
        return self._transformer.load_rows(0, row_count, tuple)

    def fetchone(self) -> tuple[Any, ...] | None:
        """The first row; None without rows."""
        rows = self.fetchall()
        return rows[0] if rows else None


class _Prepared(NamedTuple):
    """A statement on the server, and how its parameters are encoded."""

    name: bytes
    encoders: tuple[_Encode | None, ...]
    formats: tuple[Format, ...]


class _Text(NamedTuple):
    """A statement with PostgreSQL's own placeholders; `names` where the parameters have names."""

    query: bytes
    names: tuple[str, ...]


_Key = tuple[str, tuple[type, ...]]


class StatementPipeline:
    """Sends prepared statements over one psycopg connection, and reads their replies in order."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._pgconn = connection.pgconn
        self._transformer = Transformer(connection)
        self._poll = poll()
        self._poll.register(self._pgconn.socket, POLLIN)
        self._texts: dict[str, _Text] = {}
        self._prepared: dict[_Key, _Prepared] = {}
        self._numbers = count(1)
        # What was sent and not answered: replies, statements that are prepared, None for a sync.
        self._sent: deque[Reply | _Key | None] = deque()
        self._is_open = False

    @contextmanager
    def round_trip(self) -> Iterator[None]:
        """Send what the block executes as one round trip, and wait for the replies.

        The block may `sync` before its end, to let the server answer while it does something else.

        Raises: as `wait` does.
        """
        try:
            yield
        except BaseException:
            self.abandon()
            raise
        if self._is_open:
            self.sync()
        while self._sent:
            self.wait()

    def execute(self, query: str, params: Any = ()) -> Reply:
        """Queue a statement behind those of the open round trip.

        `params`: a sequence, or a mapping where the placeholders have names.

        Raises:
            psycopg.DataError: a text has a NUL.
            TypeError: there is no encoding for a parameter's type.
        """
        text = self._texts.get(query)
        if text is None:
            text = self._texts[query] = _to_text(query)
        values = [params[name] for name in text.names] if text.names else params
        key = (query, tuple(map(type, values)))
        prepared = self._prepared.get(key)
        if prepared is None:
            prepared = self._prepare(key, text.query)
        self._open()
        encoded = [
            value if encode is None else encode(value)
            for value, encode in zip(values, prepared.encoders, strict=True)
        ]
        self._pgconn.send_query_prepared(prepared.name, encoded, prepared.formats, Format.BINARY)
        reply = Reply(self._transformer)
        self._sent.append(reply)
        return reply

    def flush(self) -> None:
        """Let the server begin with what was queued; what its socket does not take is kept."""
        if self._is_open or self._sent:
            self._pgconn.flush()

    def sync(self) -> None:
        """End the open round trip; another may follow before this one is waited for."""
        self._open()
        self._pgconn.pipeline_sync()
        self._sent.append(None)
        self._is_open = False
        self._pgconn.flush()

    def wait(self) -> None:
        """Receive the replies of the oldest round trip that was ended.

        Raises:
            psycopg.Error: the first statement that failed; those behind it were skipped.
            psycopg.OperationalError: or the connection is lost.
        """
        error: psycopg.Error | None = None
        while (entry := self._sent.popleft()) is not None:
            result = self._receive()
            status = result.status
            if status == ExecStatus.TUPLES_OK or status == ExecStatus.COMMAND_OK:
                if entry.__class__ is Reply:
                    entry._result = result
            else:
                if entry.__class__ is tuple:
                    self._prepared.pop(entry, None)
                if status == ExecStatus.FATAL_ERROR and error is None:
                    error = self._error_of(result)
            assert self._next_result() is None
        self._receive()
        if not self._sent and not self._is_open:
            self._pgconn.exit_pipeline_mode()
        if error is not None:
            if error.sqlstate in _STALE_STATES:
                self._prepared.clear()
            raise error

    def abandon(self) -> None:
        """Wait for all that was sent, whatever comes of it.

        What was sent is executed: the caller has begun a transaction, and rolls it back.

        Raises:
            psycopg.OperationalError: the connection is lost.
        """
        if self._is_open:
            self.sync()
        while self._sent:
            try:
                self.wait()
            except psycopg.Error:
                if self._connection.closed or self._connection.broken:
                    raise

    @property
    def in_flight(self) -> bool:
        """Whether a reply is due, or a round trip open."""
        return self._is_open or bool(self._sent)

    def _open(self) -> None:
        if not self._is_open:
            if not self._sent:
                self._pgconn.enter_pipeline_mode()
            self._is_open = True

    def _prepare(self, key: _Key, query: bytes) -> _Prepared:
        encodings = [_encoding_of(kind) for kind in key[1]]
        prepared = _Prepared(
            b"pipeline_%d" % next(self._numbers),
            tuple(encode for _oid, _format, encode in encodings),
            tuple(format_ for _oid, format_, _encode in encodings),
        )
        self._open()
        self._pgconn.send_prepare(prepared.name, query, [oid for oid, _format, _ in encodings])
        self._sent.append(key)
        self._prepared[key] = prepared
        return prepared

    def _receive(self) -> Any:
        result = self._next_result()
        if result is None or self._pgconn.status == ConnStatus.BAD:
            message = self._pgconn.get_error_message() if result is None else result.error_message
            raise psycopg.OperationalError(f"the connection is lost: {message!r}")
        return result

    def _next_result(self) -> Any:
        """The next result; waits in `poll`, which lets other threads run and signals in."""
        pgconn = self._pgconn
        if pgconn.is_busy():
            unsent = pgconn.flush()
            while pgconn.is_busy():
                if unsent:
                    self._poll.modify(pgconn.socket, POLLIN | POLLOUT)
                    self._poll.poll()
                    self._poll.modify(pgconn.socket, POLLIN)
                    unsent = pgconn.flush()
                else:
                    self._poll.poll()
                pgconn.consume_input()
        return pgconn.get_result()

    def _error_of(self, result: Any) -> psycopg.Error:
        return psycopg.errors.error_from_result(result, self._connection.info.encoding)


def all_or_error(statement: str, count: str = "%s") -> str:
    """An INSERT or UPDATE that fails with `division_by_zero` unless it has written `count` rows.

    For statements that COMMIT follows in the same round trip: what is found out about them after it
    comes too late. `count`: the placeholder of the number.
    """
    return (
        f"WITH written AS ({statement} RETURNING 1)"
        f" SELECT 1 / (count(*) = {count})::int FROM written"
    )


def is_stale_statement(error: psycopg.Error) -> bool:
    """Whether a prepared statement has to be prepared again, since a table was changed."""
    return error.sqlstate in _STALE_STATES


def _to_text(query: str) -> _Text:
    """Replace `%s` and `%(name)s` by `$n`, and `%%` by `%`."""
    names: list[str] = []
    number = count(1)

    def place(found: "re.Match[str]") -> str:
        if found[0] == "%%":
            return "%"
        name = found[1]
        if name is None:
            return f"${next(number)}"
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    return _Text(_PLACEHOLDER.sub(place, query).encode(), tuple(names))


# --- parameters -----------------------------------------------------------------------------------


def _encode_text(value: str) -> bytes:
    data = value.encode()
    if 0 in data:
        raise psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
    return data


def _encode_instant(value: datetime) -> bytes:
    return _INT8.pack((value - _EPOCH) // _MICROSECOND)


def _encode_texts(values: Sequence[str | None]) -> bytes:
    """A text[] of str or None."""
    if not values:
        return _EMPTY_ARRAY.pack(0, 0, _TEXT)
    parts = [_ARRAY_HEADER.pack(1, None in values, _TEXT, len(values), 1)]
    for value in values:
        if value is None:
            parts.append(b"\xff\xff\xff\xff")
        else:
            data = value.encode()
            parts += (_LENGTH.pack(len(data)), data)
    return b"".join(parts)


# By type: oid, format, and how it is encoded where it is not in the format already.
_ENCODINGS: dict[type, tuple[int, Format, _Encode | None]] = {
    BigintArray: (_BIGINT_ARRAY, Format.BINARY, None),
    UuidArray: (_UUID_ARRAY, Format.BINARY, None),
    NumericArray: (_NUMERIC_ARRAY, Format.TEXT, str.encode),
    int: (_BIGINT, Format.BINARY, _INT8.pack),
    str: (_UNKNOWN, Format.TEXT, _encode_text),
    datetime: (_TIMESTAMPTZ, Format.BINARY, _encode_instant),
    list: (_TEXT_ARRAY, Format.BINARY, _encode_texts),
    type(None): (_UNKNOWN, Format.TEXT, None),
}


def _encoding_of(kind: type) -> tuple[int, Format, _Encode | None]:
    encoding = _ENCODINGS.get(kind)
    if encoding is None:
        raise TypeError(f"no encoding for a parameter of type {kind.__name__}")
    return encoding
