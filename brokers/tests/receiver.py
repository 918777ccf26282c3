"""A real HTTP receiver on loopback that behaves as a test tells it."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Received:
    """One request as it came in."""

    path: str
    headers: dict[str, str]
    body: bytes
    connection: tuple[str, int]


@dataclass
class LocalReceiver:
    """What was received, and how to answer: `statuses` one by one, then `status`."""

    url: str = ""
    status: int = 200
    statuses: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    delay_seconds: float = 0.0
    received: list[Received] = field(default_factory=list)


@contextmanager
def local_receiver(port: int = 0) -> Iterator[LocalReceiver]:
    """Run a receiver until the end of the block."""
    state = LocalReceiver()
    server = ThreadingHTTPServer(("127.0.0.1", port), _handler_of(state))
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}/hook?for=us"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def trickling_receiver(answer: bytes, *, every_seconds: float) -> Iterator[str]:
    """A receiver that sends `answer` byte by byte; yields its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    stopped = threading.Event()

    def serve() -> None:
        wire, _ = listener.accept()
        with wire:
            for byte in answer:
                if stopped.wait(every_seconds):
                    return
                try:
                    wire.sendall(bytes([byte]))
                except OSError:  # the sender has given up, as it should
                    return

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        stopped.set()
        listener.close()
        thread.join()


def _handler_of(state: LocalReceiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(length)
            headers = {name.lower(): value for name, value in self.headers.items()}
            received = Received(self.path, headers, body, self.client_address)
            time.sleep(state.delay_seconds)
            state.received.append(received)
            self.send_response(state.statuses.pop(0) if state.statuses else state.status)
            for name, value in state.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(state.body)))
            self.end_headers()
            self.wfile.write(state.body)

        def log_message(self, format: str, *args: object) -> None:
            """Tests are quiet."""

    return Handler
