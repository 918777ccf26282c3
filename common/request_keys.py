"""Idempotency keys of requests, and the answers that are kept for them. Pure."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RequestKey:
    """An Idempotency-Key of a caller (`owner`), and the SHA-256 of the request that names it."""

    owner: str
    key: str
    fingerprint: str

    @property
    def name(self) -> tuple[str, str]:
        """What is unique: the same key of another owner is another key."""
        return self.owner, self.key

    @property
    def digests(self) -> tuple[bytes, bytes]:
        """Of the name and of the request, 16 bytes each: how an order's command has them."""
        name = hashlib.sha256("\0".join(self.name).encode()).digest()
        return name[:16], bytes.fromhex(self.fingerprint)[:16]


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The answer to a request, as it is stored for its key: status and body, byte for byte."""

    status: int
    body: str
