"""Columns of set-based statements, each as one array parameter.

In binary (`bigints`, `uuids`, `amounts`), for the statements of the hot path, which index them by
row: `SELECT ($1)[i], ($2)[i] FROM generate_series(1, $3) AS i`. That costs PostgreSQL a fraction of
what it takes to read them as text and to `unnest` several side by side. An index costs the same
anywhere in an array of fixed width, but a walk in one of texts.

As text (`integers`, `words`, `texts`), for all others: still a fraction of what an adapted list of
values costs.
"""

import struct
import sys
from array import array
from collections.abc import Iterable

import psycopg
from psycopg.adapt import Buffer, Dumper
from psycopg.pq import Format

_BIGINT, _BIGINT_ARRAY = 20, 1016
_UUID, _UUID_ARRAY = 2950, 2951
_NUMERIC_ARRAY = 1231
_EMPTY = struct.Struct(">iii")
_HEADER = struct.Struct(">iiiii")
# The length before each value, in the byte order of the words around it.
_EIGHT = int.from_bytes((8).to_bytes(4), sys.byteorder)
_SIXTEEN = (16).to_bytes(4)


class BigintArray(bytes):
    """A bigint[] in PostgreSQL's binary format."""


class UuidArray(bytes):
    """A uuid[] in PostgreSQL's binary format."""


class NumericArray(str):
    """A numeric[] as text."""


def bigints(values: Iterable[int]) -> BigintArray:
    """A bigint[].

    Raises:
        OverflowError: a value has more than 64 bits.
    """
    numbers = array("q", values)
    count = len(numbers)
    if not count:
        return BigintArray(_EMPTY.pack(0, 0, _BIGINT))
    if sys.byteorder == "little":
        numbers.byteswap()
    halves = array("i", numbers.tobytes())
    words_ = array("i", [_EIGHT]) * (3 * count)
    words_[1::3], words_[2::3] = halves[0::2], halves[1::2]
    return BigintArray(_HEADER.pack(1, 0, _BIGINT, count, 1) + words_.tobytes())


def amounts(values: Iterable[int]) -> BigintArray | NumericArray:
    """Integers of any size: a bigint[], or a numeric[] where one of them needs more than 64 bits.

    A statement that takes it names no type: `($1)[i] * 0.00000001` is right for both.
    """
    values = list(values)
    try:
        return bigints(values)
    except OverflowError:
        return NumericArray(integers(values))


def uuids(values: Iterable[bytes]) -> UuidArray:
    """A uuid[] of ids of 16 bytes each.

    Raises:
        ValueError: an id has another length.
    """
    ids = [b"", *values]
    count = len(ids) - 1
    if not count:
        return UuidArray(_EMPTY.pack(0, 0, _UUID))
    packed = _SIXTEEN.join(ids)
    if len(packed) != 20 * count:
        raise ValueError("an id of other than 16 bytes")
    return UuidArray(_HEADER.pack(1, 0, _UUID, count, 1) + packed)


def integers(values: Iterable[int]) -> str:
    """Integers."""
    # The list's own text: a third cheaper than a `str` for each value.
    return "{" + str(list(values))[1:-1] + "}"


def integers_or_null(values: Iterable[int | None]) -> str:
    """Integers; None becomes NULL."""
    return "{" + str(list(values))[1:-1].replace("None", "NULL") + "}"


def words(values: Iterable[str]) -> str:
    """Texts that need no quotes: hex digits, plain words; the word NULL becomes NULL."""
    return "{" + ",".join(values) + "}"


def texts(values: Iterable[str]) -> str:
    """Any texts."""
    quoted = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in quoted) + "}"


# --- how psycopg sends them -----------------------------------------------------------------------


class _BinaryDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: bytes) -> Buffer:
        return obj


class _BigintBinary(_BinaryDumper):
    oid = _BIGINT_ARRAY


class _UuidBinary(_BinaryDumper):
    oid = _UUID_ARRAY


class _TextDumper(Dumper):
    """Also for cursors that put their parameters into the statement, as Django's do."""

    type_name = ""

    def quote(self, obj: bytes | str) -> Buffer:
        return b"'%s'::%s" % (bytes(self.dump(obj) or b""), self.type_name.encode())


class _BigintText(_TextDumper):
    oid = _BIGINT_ARRAY
    type_name = "bigint[]"

    def dump(self, obj: bytes) -> Buffer:
        values = struct.iter_unpack(">iq", obj[_HEADER.size :])
        return integers(value for _length, value in values).encode()


class _UuidText(_TextDumper):
    oid = _UUID_ARRAY
    type_name = "uuid[]"

    def dump(self, obj: bytes) -> Buffer:
        values = struct.iter_unpack(">i16s", obj[_HEADER.size :])
        return words(value.hex() for _length, value in values).encode()


class _NumericText(_TextDumper):
    oid = _NUMERIC_ARRAY
    type_name = "numeric[]"

    def dump(self, obj: str) -> Buffer:
        return obj.encode()


# The one registered last is preferred.
psycopg.adapters.register_dumper(BigintArray, _BigintText)
psycopg.adapters.register_dumper(BigintArray, _BigintBinary)
psycopg.adapters.register_dumper(UuidArray, _UuidText)
psycopg.adapters.register_dumper(UuidArray, _UuidBinary)
psycopg.adapters.register_dumper(NumericArray, _NumericText)
