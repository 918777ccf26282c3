"""Finding free TCP ports and keeping the choice across restarts."""

import random
import socket
from pathlib import Path

from embedded.errors import EmbeddedError

# Below the range that systems give to outgoing connections, so that none of those takes a port
# between the moment it was found free and the moment the server listens on it.
_PORTS = range(20_000, 32_000)
_TRIES = 200


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Tell whether a server could listen on `host:port` now."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError:
            return False
    return True


def choose_free_port() -> int:
    """Return a port of the local host on which nobody listens."""
    for port in random.sample(_PORTS, _TRIES):
        if is_free(port):
            return port
    raise EmbeddedError(f"No free port found between {_PORTS.start} and {_PORTS.stop}.")


def keep_port(file: Path) -> int:
    """Return the port kept in `file`; choose and keep another one if it is missing or taken."""
    if file.exists():
        kept = int(file.read_text())
        if is_free(kept):
            return kept
    port = choose_free_port()
    file.write_text(f"{port}\n")
    return port
