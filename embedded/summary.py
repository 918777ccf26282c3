"""The texts that tell where to look once the venue runs."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path

from embedded import paths
from embedded.screen import Screen
from embedded.venue import VenueOptions

_LABEL_WIDTH = 12
# Two of the demo's brokers that may trade without money.
_SELLER, _BUYER = "Alpha Securities", "Beta Brokerage"
_ORDER = (
    '{"document_number": "1", "symbol": "AAPL", "side": "%s", "quantity": 10, "price": 15000, '
    '"valid_until": "2099-01-01T00:00:00Z"}'
)


def where_to_look(
    options: VenueOptions, environ: Mapping[str, str], demo: str, screen: Screen
) -> str:
    """Return the block that is shown when the venue is open.

    `demo` is what the preparation printed: the demo's brokers with their keys; empty without one.
    """
    rows = [
        ("Start page", f"{options.url}/"),
        ("API docs", f"{options.url}/docs   and   {options.url}/redoc"),
        ("Admin", f"{options.url}/admin/"),
        ("", _login(environ)),
        ("Health", f"{options.url}/health"),
        ("Settings", ".env   (secrets were made on the first start; ADMIN_API_KEY is there)"),
        ("Logs", f"{paths.state_dir() / 'log'}"),
    ]
    lines = ["", screen.style("The venue is open.", "bold", "green"), ""]
    lines += [f"{screen.style(f'{label:<{_LABEL_WIDTH}}', 'dim')}{value}" for label, value in rows]
    if demo:
        lines += ["", *demo.splitlines(), *_trade_to_try(options, environ, screen)]
    lines += ["", screen.style("Ctrl-C stops everything; the data is kept.", "dim"), ""]
    return "\n".join(f"  {line}".rstrip() for line in lines)


def export_lines(environ: Mapping[str, str]) -> str:
    """Return the servers' addresses as lines for a shell."""
    names = ("DATABASE_URL", "REDIS_URL")
    return "\n".join(f"export {name}={shlex.quote(environ[name])}" for name in names)


def _login(environ: Mapping[str, str]) -> str:
    if environ.get("ADMIN_EMAIL") and environ.get("ADMIN_PASSWORD"):
        return f"login {environ['ADMIN_EMAIL']}   password {environ['ADMIN_PASSWORD']}"
    return "for a login set ADMIN_EMAIL and ADMIN_PASSWORD in .env"


def _trade_to_try(options: VenueOptions, environ: Mapping[str, str], screen: Screen) -> list[str]:
    """Return commands that make two demo brokers trade with each other."""
    kept = Path(environ.get("DEMO_KEYS_FILE") or paths.project_root() / "var" / "demo_keys.json")
    keys = json.loads(kept.read_text()) if kept.exists() else {}
    if not keys.keys() >= {_SELLER, _BUYER}:
        return []
    lines = ["", screen.style("A trade to try: one broker sells, the other buys", "dim")]
    for name, side in ((_SELLER, "ask"), (_BUYER, "bid")):
        lines += [
            f"curl {options.url}/orders -H 'X-API-KEY: {keys[name]}' \\",
            f"  -H 'Content-Type: application/json' -d '{_ORDER % side}'",
        ]
    return [*lines, f"curl {options.url}/stocks/AAPL/price -H 'X-API-KEY: {keys[_BUYER]}'"]
