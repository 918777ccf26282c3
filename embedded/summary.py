"""The texts that tell where to look once the venue runs."""

import shlex
from collections.abc import Mapping

from embedded import paths
from embedded.screen import Screen
from embedded.venue import VenueOptions

_LABEL_WIDTH = 12


def where_to_look(
    options: VenueOptions, environ: Mapping[str, str], demo: str, screen: Screen
) -> str:
    """Return the block that is shown when the venue is open.

    `demo` is what `manage.py load_demo` printed: the demo brokers, their keys, a trade to try.
    """
    rows = [
        ("Start page", f"{options.url}/"),
        ("API docs", f"{options.url}/docs   and   {options.url}/redoc"),
        ("Admin", f"{options.url}/admin/"),
        ("", f"login {environ.get('ADMIN_EMAIL', '')}   password {_password(environ)}"),
        ("Health", f"{options.url}/health"),
        ("Settings", ".env   (secrets were made on the first start; ADMIN_API_KEY is there)"),
        ("Logs", f"{paths.state_dir() / 'log'}"),
    ]
    lines = ["", screen.style("  The venue is open.", "bold", "green"), ""]
    lines += [
        f"  {screen.style(f'{label:<{_LABEL_WIDTH}}', 'dim')}{value}" for label, value in rows
    ]
    if demo.strip():
        lines += ["", *(f"  {line}".rstrip() for line in demo.strip().splitlines())]
    lines += ["", screen.style("  Ctrl-C stops everything; the data is kept.", "dim"), ""]
    return "\n".join(lines)


def export_lines(environ: Mapping[str, str]) -> str:
    """Return the servers' addresses as lines for a shell."""
    names = ("DATABASE_URL", "REDIS_URL")
    return "\n".join(f"export {name}={shlex.quote(environ[name])}" for name in names)


def _password(environ: Mapping[str, str]) -> str:
    return environ.get("ADMIN_PASSWORD", "") or "(none: set ADMIN_PASSWORD in .env)"
