"""What a serious HTTP server does with unusual, slow and hostile requests."""

import json
import os
import signal
import socket
import threading
import time

import pytest

from embedded.trial import TrialVenue
from tests.front.wire import ORDER, Wire

_CHUNKED = ("Content-Type: application/json", "Transfer-Encoding: chunked")


def chunked(body: bytes, size: int) -> bytes:
    parts = [body[i : i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def test_pipelined_requests_are_answered_in_their_order(wire: Wire):
    wire.send(
        wire.order() + wire.head("GET", "/balance") + wire.order(price=0) + wire.order(quantity=2)
    )
    assert [wire.receive().status for _ in range(4)] == [201, 200, 422, 201]


def test_a_connection_closes_when_the_client_asks_for_it(wire: Wire):
    answer = wire.ask(wire.order("/orders", "Connection: close"))
    assert answer.status == 201
    assert wire.is_closed()


def test_a_connection_stays_open_otherwise(wire: Wire):
    assert [wire.ask(wire.order()).status for _ in range(3)] == [201] * 3


def test_100_continue_comes_before_the_body_is_sent(wire: Wire):
    request = wire.order("/orders", "Expect: 100-continue")
    head, _, body = request.partition(b"\r\n\r\n")
    assert wire.ask(head + b"\r\n\r\n").status == 100
    assert wire.ask(body).status == 201


def test_a_refusal_comes_instead_of_100_continue(wire: Wire):
    with wire.another() as stranger:
        stranger.key = "wrong"
        request = stranger.order("/orders", "Expect: 100-continue")
        answer = stranger.ask(request.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
        assert answer.status == 401


@pytest.mark.parametrize("path", ["/orders", "/api/v1/accounts"])
def test_chunked_bodies_are_read(wire: Wire, path: str):
    body = json.dumps(ORDER if path == "/orders" else {"document_number": "77"}).encode()
    answer = wire.ask(wire.head("POST", path, *_CHUNKED) + chunked(body, 7))
    assert answer.status in (201, 409), answer.body


@pytest.mark.parametrize("path", ["/orders", "/api/v1/orders", "/api/v1/accounts"])
def test_a_body_above_the_limit_is_413_however_it_is_sent(wire: Wire, path: str):
    body = b" " * 1_100_000
    with wire.another() as first:
        length = (f"Content-Length: {len(body)}", "Content-Type: application/json")
        first.send(first.head("POST", path, *length))
        first.send(body)
        assert first.receive().status == 413
    with wire.another() as second:
        second.send(second.head("POST", path, *_CHUNKED) + chunked(body, 60_000))
        assert second.receive().status == 413


@pytest.mark.parametrize("path", ["/health", "/stocks/FRONT/book", "/api/v1/time"])
def test_head_is_get_without_a_body(wire: Wire, path: str):
    whole = wire.ask(wire.head("GET", path))
    head = wire.ask(wire.head("HEAD", path), has_body=False)
    assert head.status == whole.status == 200
    assert head.headers["content-type"] == whole.headers["content-type"]
    assert wire.ask(wire.order()).status == 201  # nothing was left on the connection


def test_options_and_unknown_methods(wire: Wire):
    options = wire.ask(wire.head("OPTIONS", "/api/v1/orders"))
    assert options.status == 200
    assert "POST" in options.headers["allow"]
    patched = wire.ask(wire.head("PATCH", "/orders", "Content-Length: 0"))
    assert patched.status == 405


def test_a_header_of_megabytes_is_refused(wire: Wire):
    try:
        wire.send(wire.head("GET", "/balance", "X-Long: " + "x" * 3_000_000))
    except OSError:
        return  # broken off while it was being sent
    assert wire.receive().status == 431


def test_hundreds_of_headers_are_refused(wire: Wire):
    wire.send(wire.head("GET", "/balance", *(f"X-{n}: {n}" for n in range(300))))
    assert wire.receive().status == 431


def test_a_header_with_an_underscore_is_not_the_one_with_a_hyphen(wire: Wire):
    lines = ("GET /api/v1/brokers/me HTTP/1.1", "Host: 127.0.0.1", f"X_API_KEY: {wire.key}")
    assert wire.ask(("\r\n".join(lines) + "\r\n\r\n").encode()).status == 401


def test_script_name_does_not_move_the_venue(wire: Wire):
    answer = wire.ask(
        wire.head("GET", "/api/v1/brokers/me", "SCRIPT_NAME: /api", "Script-Name: /x")
    )
    assert answer.status == 200


def test_no_header_moves_what_django_serves(venue: TrialVenue, key: str):
    """Said on Django's own socket, where gunicorn would believe it."""
    lines = [
        "GET /api/v1/orders?page_size=1 HTTP/1.1", "Host: 127.0.0.1", f"X-API-KEY: {key}",
        "SCRIPT_NAME: /api", "PATH_INFO: /debug/trade-count", "X-Forwarded-Proto: https",
        "X-Forwarded-Ssl: on", "Connection: close",
    ]  # fmt: skip
    with socket.socket(socket.AF_UNIX) as django:
        django.connect(venue.environ["DJANGO_URL"].removeprefix("unix://"))
        django.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        answer = django.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    assert b'"results"' in answer


def test_no_header_makes_a_request_secure(wire: Wire):
    for number in range(2):
        wire.ask(wire.order(document_number=str(90 + number)))
    for name in ("X-Forwarded-Proto: https", "X-Forwarded-Protocol: ssl", "X-Forwarded-Ssl: on"):
        page = wire.ask(wire.head("GET", "/api/v1/orders?page_size=1", name)).json()
        assert page["next"].startswith("http://127.0.0.1/"), name


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST /orders HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"NONSENSE\r\n\r\n",
    ],
    ids=["two lengths", "length and chunks", "nul", "no request"],
)
def test_what_could_be_read_in_two_ways_is_refused(wire: Wire, request_bytes: bytes):
    answer = wire.ask(request_bytes)
    assert answer.status == 400
    assert wire.is_closed()


def test_half_sent_requests_cost_no_thread(wire: Wire):
    hanging = [wire.another() for _ in range(60)]
    for index, connection in enumerate(hanging):
        path = "/orders" if index % 2 else "/api/v1/accounts"
        length = ("Content-Length: 400", "Content-Type: application/json")
        connection.send(connection.head("POST", path, *length) + b'{"document')
    started = time.monotonic()
    assert wire.ask(wire.order()).status == 201
    assert wire.ask(wire.head("GET", "/api/v1/brokers/me")).status == 200
    assert wire.ask(wire.head("GET", "/health")).status == 200
    assert time.monotonic() - started < 3
    for connection in hanging:
        connection.socket.close()


def test_health_answers_whatever_the_host(venue: TrialVenue, wire: Wire):
    answer = wire.ask(b"GET /health HTTP/1.1\r\nHost: 203.0.113.9:8000\r\n\r\n")
    assert (answer.status, answer.json()["status"]) == (200, "ok")
    assert wire.ask(b"GET /balance HTTP/1.1\r\nHost: 203.0.113.9:8000\r\n\r\n").status == 400


def test_a_key_may_stand_beside_a_proxys_login(wire: Wire):
    body = json.dumps(ORDER).encode()
    for path, method in (("/orders", "POST"), ("/api/v1/brokers/me", "GET")):
        lines = [
            f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Authorization: Basic dXNlcjpwYXNz",
            f"X-API-KEY: {wire.key}",
        ]  # fmt: skip
        sent = body if method == "POST" else b""
        lines += ["Content-Type: application/json", f"Content-Length: {len(sent)}"] if sent else []
        answer = wire.ask(("\r\n".join(lines) + "\r\n\r\n").encode() + sent)
        assert answer.status in (200, 201)


def test_five_hundred_clients_at_once_are_all_served(wire: Wire):
    clients = [wire.another(seconds=30) for _ in range(512)]
    for client in clients:
        client.send(client.order())
    assert [client.receive().status for client in clients] == [201] * 512
    for client in clients:
        client.socket.close()


def test_the_request_id_is_the_callers_and_reaches_django(wire: Wire):
    for path in ("/balance", "/api/v1/brokers/me"):
        answer = wire.ask(wire.head("GET", path, "X-Request-ID: trace-7"))
        assert answer.headers["x-request-id"] == "trace-7"
    chosen = wire.ask(wire.head("GET", "/balance", "X-Request-ID: not safe!"))
    assert len(chosen.headers["x-request-id"]) == 32


@pytest.mark.parametrize("path", ["/orders", "/api/v1/accounts"])
@pytest.mark.parametrize("name", ["Idempotency-Key", "X-API-KEY"])
def test_a_header_that_came_twice_is_refused(wire: Wire, path: str, name: str):
    body = json.dumps(ORDER).encode()
    length = ("Content-Type: application/json", f"Content-Length: {len(body)}")
    answer = wire.ask(wire.head("POST", path, *length, f"{name}: K", f"{name}: K") + body)
    assert (answer.status, answer.json()["code"]) == (400, "malformed")


def test_delays_of_a_sandbox_account_hold_up_no_one_else(venue: TrialVenue, wire: Wire):
    body = {"document_number": "sandbox", "is_sandbox": True}
    made = wire.ask(_post(wire, "/api/v1/accounts", body))
    assert made.status in (201, 409), made.body
    late = [wire.another(seconds=30) for _ in range(40)]
    for index, client in enumerate(late):
        client.send(_post(client, "/api/v1/orders", _sandbox_order(f"sim-delay-4s-{index}")))
    started = time.monotonic()
    time.sleep(0.5)
    while wire.ask(wire.head("GET", "/api/v1/brokers/me")).status != 200:
        assert time.monotonic() - started < 4
    assert wire.ask(wire.order()).status == 201
    assert time.monotonic() - started < 4
    for client in late:
        assert client.receive().status == 201
    assert time.monotonic() - started >= 4
    for client in late:
        client.socket.close()


def test_a_disconnect_of_a_sandbox_account_is_executed_and_not_answered(wire: Wire):
    with wire.another() as cut:
        cut.send(_post(cut, "/api/v1/orders", _sandbox_order("sim-disconnect-1")))
        with pytest.raises((AssertionError, ConnectionResetError)):
            cut.receive()
    found = wire.ask(wire.head("GET", "/api/v1/orders?client_order_id=sim-disconnect-1")).json()
    assert [order["status"] for order in found["results"]] == ["OPEN"]


def _sandbox_order(client_order_id: str) -> dict[str, object]:
    return {
        "document_number": "sandbox", "symbol": "FRONT", "side": "BUY", "quantity": "1",
        "limit_price": "1.00", "client_order_id": client_order_id,
    }  # fmt: skip


def _post(wire: Wire, path: str, document: dict[str, object]) -> bytes:
    body = json.dumps(document).encode()
    length = f"Content-Length: {len(body)}"
    return wire.head("POST", path, "Content-Type: application/json", length) + body


def test_orders_go_on_while_django_is_down(venue: TrialVenue, wire: Wire):
    os.killpg(venue.supervisor.pid_of("django"), signal.SIGKILL)
    deadline = time.monotonic() + 10
    while (page := wire.ask(wire.head("GET", "/api/v1/brokers/me"))).status != 503:
        assert time.monotonic() < deadline
    assert page.headers["retry-after"] == "1"
    assert page.headers["content-type"] == "application/problem+json"
    assert wire.ask(wire.order()).status == 201
    time.sleep(0.3)  # for so long what health found is reported again
    health = wire.ask(wire.head("GET", "/health"))
    assert (health.status, health.json()["django"]["status"]) == (200, "gone")
    venue.wait_until_healthy()
    assert wire.ask(wire.head("GET", "/api/v1/brokers/me")).status == 200


def test_requests_in_flight_are_answered_at_a_stop_and_idle_connections_end(venue: TrialVenue):
    """Last, since it stops the front; the supervisor starts it again."""
    venue.wait_until_healthy()
    admin = Wire(venue.port, venue.admin_key)
    key = admin.ask(_post(admin, "/register", {"name": "Stop"})).json()["api_key"]
    idle, busy = Wire(venue.port, key), Wire(venue.port, key)
    assert idle.ask(idle.head("GET", "/balance")).status == 200
    request = busy.order("/orders", "Expect: 100-continue")
    head, _, body = request.partition(b"\r\n\r\n")
    assert busy.ask(head + b"\r\n\r\n").status == 100
    pid = venue.supervisor.pid_of("web")
    stopped: list[float] = []

    def stop() -> None:
        started = time.monotonic()
        assert idle.is_closed()
        stopped.append(time.monotonic() - started)

    watching = threading.Thread(target=stop)
    watching.start()
    os.kill(pid, signal.SIGTERM)
    watching.join(10)
    assert stopped and stopped[0] < 2, "idle connections end at once"
    assert busy.ask(body).status == 201
    assert busy.is_closed()
    for connection in (admin, idle, busy):
        connection.socket.close()
    assert venue.supervisor.wait_until(lambda: venue.supervisor.pid_of("web") != pid, seconds=20)
    venue.wait_until_healthy()
