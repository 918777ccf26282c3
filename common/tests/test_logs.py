"""Log lines: one event, one line that nobody else can begin; text for people, JSON for programs."""

import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from common.logs import JsonFormatter, TextFormatter, WithoutTraceback, gunicorn_config
from common.request_ids import bind_request_id, current_request_id, serving

FORGED = "x\n2026-01-01 00:00:00,000 INFO orders: forged"


@pytest.fixture(autouse=True)
def _no_request() -> Iterator[None]:
    bind_request_id("")
    yield
    bind_request_id("")


def record(message: str, *arguments: Any, **extra: Any) -> logging.LogRecord:
    made = logging.LogRecord("orders", logging.WARNING, "file", 1, message, arguments, None)
    made.__dict__.update(extra)
    return made


def failed(message: str) -> logging.LogRecord:
    made = record("it failed")
    try:
        raise ValueError(message)
    except ValueError:
        made.exc_info = sys.exc_info()
    return made


def test_text_is_one_line_with_time_level_logger_and_message() -> None:
    line = TextFormatter().format(record("stream %s", "0-1"))

    assert line.endswith(" WARNING orders: stream 0-1")
    assert line[:2] == "20"


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("a\nb", "a\\nb"),
        ("a\r\nb", "a\\r\\nb"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\x00b\x7f", "a\\x00b\\x7f"),
        ("a\x85b\u2028c", "a\\x85b\\u2028c"),
        ("PETR4 é €", "PETR4 é €"),
    ],
)
def test_control_characters_are_escaped(sent: str, shown: str) -> None:
    line = TextFormatter().format(record("path %s", sent))

    assert line.endswith(f"path {shown}")
    assert len(line.splitlines()) == 1


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_nobody_begins_a_line_with_a_message_or_an_error(formatter: logging.Formatter) -> None:
    assert len(formatter.format(record("%s", FORGED)).splitlines()) == 1

    lines = formatter.format(failed(FORGED)).splitlines()

    assert [line for line in lines[1:] if not line.startswith("  ")] == []
    assert "forged" in lines[-1]


def test_json_has_the_members_that_programs_look_for() -> None:
    made = record("%d orders", 3, request_id="r-1", status=201, elapsed_us=7)

    shown = json.loads(JsonFormatter().format(made))

    assert shown["time"].endswith("+00:00")
    del shown["time"]
    assert shown == {
        "level": "WARNING",
        "logger": "orders",
        "message": "3 orders",
        "process": made.process,
        "request_id": "r-1",
        "status": 201,
        "elapsed_us": 7,
    }


def test_json_holds_the_traceback_in_the_same_line() -> None:
    line = JsonFormatter().format(failed("no such thing"))

    assert "\n" not in line
    assert json.loads(line)["exception"].endswith("ValueError: no such thing")


def test_lines_of_a_request_carry_its_id_without_being_asked() -> None:
    with serving("r-2"):
        text = TextFormatter().format(record("waiting"))
        shown = json.loads(JsonFormatter().format(record("waiting")))
        explicit = TextFormatter().format(record("done request_id=%s", "r-2"))
    after = TextFormatter().format(record("idle"))

    assert text.endswith("orders: waiting request_id=r-2")
    assert shown["request_id"] == "r-2"
    assert explicit.count("request_id=") == 1
    assert current_request_id() == ""
    assert after.endswith("orders: idle")


def test_a_filter_takes_tracebacks_away() -> None:
    made = failed("Invalid HTTP_HOST header")

    assert WithoutTraceback().filter(made) is True

    assert len(TextFormatter().format(made).splitlines()) == 1


@pytest.mark.parametrize(
    ("environ", "formatter"),
    [({}, "TextFormatter"), ({"LOG_FORMAT": "json", "LOG_LEVEL": "DEBUG"}, "JsonFormatter")],
)
def test_gunicorn_logs_as_the_venue_does(environ: dict[str, str], formatter: str) -> None:
    config = gunicorn_config(environ)

    assert config["formatters"]["line"]["()"] == f"common.logs.{formatter}"
    assert config["root"]["level"] == environ.get("LOG_LEVEL", "INFO")
