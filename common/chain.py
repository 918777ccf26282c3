"""A chain of hashes over rows that are only ever added. Pure.

The hash of a seal is the SHA-256 of: the hash of the seal before (32 bytes; zeros for the first),
its own number (8 bytes, big-endian), and the digests of its rows (32 bytes each).
"""

import hashlib
from collections.abc import Iterable

GENESIS_HASH = "0" * 64


def seal_hash(previous_hash: str, number: int, digests: Iterable[bytes]) -> str:
    """The hash of a seal in hexadecimal, from that of the seal before and its rows' digests."""
    chained = hashlib.sha256(bytes.fromhex(previous_hash))
    chained.update(number.to_bytes(8, "big"))
    for digest in digests:
        chained.update(digest)
    return chained.hexdigest()


def netstring(text: str) -> bytes:
    """A field with its length before it, so that no two rows have the same bytes."""
    data = text.encode()
    return b"%d:%b," % (len(data), data)
