"""One id leads through the logs of all processes; what a caller sends forges no line in them."""

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest

from embedded.trial import TrialVenue, trial_venue
from tests.faults.conftest import register
from tests.faults.traders import VALID_UNTIL

PROCESSES = ("engine-0", "django", "web", "worker-webhooks", "beat")


@pytest.fixture(scope="module")
def venue() -> Iterator[TrialVenue]:
    settings = {"LOG_FORMAT": "json", "LOG_LEVEL": "DEBUG", "WEB_WORKERS": "1"}
    with trial_venue(processes=PROCESSES, environ=settings) as running:
        yield running


@pytest.fixture(scope="module")
def key(venue: TrialVenue) -> str:
    return register(venue, "Credit")


def send(
    venue: TrialVenue, method: str, path: str, body: Any = None, **headers: str
) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", venue.port, timeout=10)
    data = None if body is None else json.dumps(body)
    connection.request(method, path, data, {"Content-Type": "application/json", **headers})
    response = connection.getresponse()
    response.read()
    connection.close()
    return response


def lines(venue: TrialVenue, name: str) -> list[dict[str, Any]]:
    """What a process has logged; the worker also prints the mails that it does not send."""
    text = venue.supervisor.log_of(name).read_text()
    return [json.loads(line) for line in text.splitlines() if line.startswith('{"time"')]


def wait_for_line(venue: TrialVenue, name: str, request_id: str) -> None:
    def is_there() -> bool:
        return any(line.get("request_id") == request_id for line in lines(venue, name))

    assert venue.supervisor.wait_until(is_there, seconds=15), venue.tell()


@pytest.mark.parametrize(
    ("path", "processes"),
    [
        ("/orders", ("web", "engine-0")),
        # With a query string it is left to Django.
        ("/orders?by=django", ("web", "django", "engine-0")),
    ],
)
def test_an_order_is_found_by_its_id_in_every_process_that_it_passes(
    venue: TrialVenue, key: str, path: str, processes: tuple[str, ...]
) -> None:
    request_id = f"trace-{len(processes)}"
    body = {"document_number": "1", "symbol": "PETR4", "side": "ask", "price": 3500}
    body |= {"quantity": 1, "valid_until": VALID_UNTIL}
    headers = {"Authorization": f"Bearer {key}", "X-Request-ID": request_id}

    response = send(venue, "POST", path, body, **headers)

    assert response.status == 201
    assert response.getheader("X-Request-ID") == request_id
    for name in processes:
        wait_for_line(venue, name, request_id)


def test_a_task_that_a_request_causes_is_found_by_its_id_at_the_worker(venue: TrialVenue) -> None:
    person = {"email": "ana@example.com", "password": "correct-horse-battery"}

    response = send(
        venue, "POST", "/api/v1/auth/register", person, **{"X-Request-ID": "trace-mail"}
    )

    assert response.status in (200, 201, 202)
    wait_for_line(venue, "worker-webhooks", "trace-mail")


def test_every_line_of_our_processes_is_an_object(venue: TrialVenue, key: str) -> None:
    for name in ("engine-0", "django", "web"):
        text = venue.supervisor.log_of(name).read_text()
        assert [line for line in text.splitlines() if not line.startswith("{")] == [], name


def test_a_foreign_host_costs_one_line(venue: TrialVenue) -> None:
    def about_host() -> list[dict[str, Any]]:
        return [line for line in lines(venue, "django") if "evil.example" in line["message"]]

    assert send(venue, "GET", "/docs", Host="evil.example").status == 400

    assert venue.supervisor.wait_until(lambda: len(about_host()) == 1, seconds=5)
    [line] = about_host()
    assert line["logger"] == "django.security.DisallowedHost"
    assert "exception" not in line
