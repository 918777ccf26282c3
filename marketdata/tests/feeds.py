"""Stand-ins of the price services: a server on loopback that answers in their true shapes."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Reply = tuple[int, str, bytes]


def as_json(document: Any, status: int = 200) -> Reply:
    """An answer as the services send it."""
    return status, "application/json", json.dumps(document).encode()


def as_text(text: str, status: int = 200, kind: str = "text/plain") -> Reply:
    return status, kind, text.encode()


class Feed:
    """What the server answers: `replies` by path, each called with path and query.

    A reply is (status, content type, body); a body that is cut off has a wrong Content-Length.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.reply: Callable[[str, dict[str, str]], Reply] = lambda path, query: as_text("", 404)
        self.delay_seconds = 0.0
        self.cuts_off = False

    def asked_for_data(self) -> list[str]:
        """Paths that were asked for, without cookies and crumbs."""
        return [path for path, _ in self.requests if "/finance/" in path or "query" in path]


@contextlib.contextmanager
def running_feed() -> Iterator[Feed]:
    """A feed on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            feed.requests.append((parts.path, query))
            status, kind, body = feed.reply(parts.path, query)
            if parts.path == "/v1/test/getcrumb":
                status, kind, body = as_text("a-crumb")
            else:
                time.sleep(feed.delay_seconds)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body) + (100 if feed.cuts_off else 0)))
            self.send_header("Connection", "close")
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body)
            self.close_connection = True

        do_POST = do_GET

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """A client that went away is no news."""

    with Server(("127.0.0.1", 0), Handler) as server:
        feed = Feed(f"http://127.0.0.1:{server.server_address[1]}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield feed
        server.shutdown()


def yahoo_meta(symbol: str = "AAPL", **changes: Any) -> dict[str, Any]:
    """What Yahoo tells of a symbol, in part."""
    return {
        "currency": "USD",
        "symbol": symbol,
        "exchangeName": "NMS",
        "fullExchangeName": "NasdaqGS",
        "instrumentType": "EQUITY",
        "firstTradeDate": 345479400,
        "regularMarketTime": 1770062392,
        "gmtoffset": -18000,
        "timezone": "EST",
        "exchangeTimezoneName": "America/New_York",
        "regularMarketPrice": 270.01,
        "regularMarketVolume": 73913400,
        "previousClose": 259.48,
        "priceHint": 2,
        "dataGranularity": "1d",
        "range": "1d",
        **changes,
    }


def yahoo_chart(symbol: str = "AAPL", **changes: Any) -> Reply:
    """A good answer of the chart address."""
    result = {
        "meta": yahoo_meta(symbol, **changes),
        "timestamp": [1770042600, 1770042660],
        "indicators": {"quote": [{"close": [260.0, None], "volume": [100, None]}]},
    }
    return as_json({"chart": {"result": [result], "error": None}})


def yahoo_quotes(*rows: dict[str, Any]) -> Reply:
    """A good answer of the quote address."""
    return as_json({"quoteResponse": {"result": list(rows), "error": None}})


def yahoo_not_found() -> Reply:
    error = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
    return as_json({"chart": {"result": None, "error": error}}, 404)


def global_quote(symbol: str = "IBM", price: Any = "217.51") -> Reply:
    """Alpha Vantage's answer for a share."""
    facts = {
        "01. symbol": symbol,
        "02. open": "216.00",
        "03. high": "218.10",
        "04. low": "215.90",
        "05. price": price,
        "06. volume": "3200000",
        "07. latest trading day": "2026-11-19",
        "08. previous close": "216.10",
        "09. change": "1.4100",
        "10. change percent": "0.6525%",
    }
    return as_json({"Global Quote": facts})


def exchange_rate(base: str = "BTC", quote: str = "USD", rate: Any = "97000.01000000") -> Reply:
    """Alpha Vantage's answer for a pair."""
    facts = {
        "1. From_Currency Code": base,
        "2. From_Currency Name": "Bitcoin",
        "3. To_Currency Code": quote,
        "4. To_Currency Name": "United States Dollar",
        "5. Exchange Rate": rate,
        "6. Last Refreshed": "2026-11-19 10:00:01",
        "7. Time Zone": "UTC",
    }
    return as_json({"Realtime Currency Exchange Rate": facts})
