"""How log lines look: as text for people, or as JSON, one object a line, for programs.

Nothing that a caller sends can begin a line of its own: control characters are escaped, and the
lines of a traceback are indented. Does not need Django, so that gunicorn can use it before.
"""

import json
import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from common.request_ids import current_request_id

TEXT, JSON = "text", "json"
_LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"
# C0 and C1 controls, and what some programs take for the end of a line.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# What records carry beside the message, where they do.
_FACTS = ("request_id", "status", "elapsed_us")


class TextFormatter(logging.Formatter):
    """`2026-01-31 09:30:00,123 WARNING orders.gateway: … request_id=…`, tracebacks indented."""

    def __init__(self) -> None:
        super().__init__(_LINE)

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line, without the traceback."""
        line = escape_controls(super().formatMessage(record))
        request_id = _request_id_of(record)
        if request_id and "request_id=" not in line:
            line += f" request_id={escape_controls(request_id)}"
        return line

    def formatException(self, ei: Any) -> str:
        """Return the traceback, none of whose lines can be taken for one of the log's."""
        lines = super().formatException(ei).splitlines()
        return "\n".join(f"  {escape_controls(line)}" for line in lines)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, process, request id, traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as a line."""
        instant = datetime.fromtimestamp(record.created, UTC)
        shown: dict[str, Any] = {
            "time": instant.isoformat(timespec="microseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
        }
        shown |= {name: value for name in _FACTS if (value := getattr(record, name, None))}
        if request_id := _request_id_of(record):
            shown["request_id"] = request_id
        if record.exc_info:
            shown["exception"] = self.formatException(record.exc_info)
        return json.dumps(shown, default=str)


class WithoutTraceback(logging.Filter):
    """Lets records pass without their traceback: what a caller sent is to blame, not the code."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Take the traceback away."""
        record.exc_info = None
        return True


def escape_controls(text: str) -> str:
    """Return the text with control characters as they are written in Python: \\n, \\x1b."""
    return _CONTROLS.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


def console_config(format_name: str) -> dict[str, Any]:
    """Return the formatter and the handler of a process, for `logging.config.dictConfig`."""
    formatter = JsonFormatter if format_name == JSON else TextFormatter
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": f"{__name__}.{formatter.__name__}"}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    }


def gunicorn_config(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the logging of a gunicorn master, and of its workers before Django is there."""
    own = {"level": "INFO", "handlers": ["console"], "propagate": False}
    return {
        **console_config(environ.get("LOG_FORMAT", TEXT)),
        "root": {"level": environ.get("LOG_LEVEL") or "INFO", "handlers": ["console"]},
        "loggers": {"gunicorn.error": own, "gunicorn.access": own},
    }


def _request_id_of(record: logging.LogRecord) -> str:
    given: str = getattr(record, "request_id", "")
    return given or current_request_id()
