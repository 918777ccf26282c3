"""What suits one's own machine, and no public venue.

The production settings refuse the first table at start; `check --deploy` reports both, under any
settings.
"""

from collections.abc import Mapping
from typing import Any

_REFUSED = {
    "DEBUG": "shows stack traces and settings to everybody",
    "DEMO": "opens accounts whose keys are in the documents",
    "ALLOW_RESET": "lets one request delete all orders and the ledger",
}
_QUESTIONED = {
    "OPEN_LISTING": "lets any broker's order list a symbol",
    "SANDBOX_ACCOUNTS": "lets clients force refusals, delays and lost answers",
    "WEBHOOK_ALLOW_PRIVATE": "lets webhooks reach this machine and private networks",
    "SIMULATOR_STARTING_BALANCE": "gives everybody who registers money that nobody paid in",
}


def find_demo_settings(values: Mapping[str, Any]) -> list[str]:
    """Return what must be off in production and is on, each with the reason."""
    return [
        f"{name} is on; allowed: off. It {why}" for name, why in _REFUSED.items() if values[name]
    ]


def find_questionable_settings(values: Mapping[str, Any]) -> list[str]:
    """Return what a public venue rarely wants, each with the reason."""
    found = [f"{name} is on: it {why}" for name, why in _QUESTIONED.items() if values[name]]
    for name in ("PRICE_PROVIDERS_EQUITY", "PRICE_PROVIDERS_CRYPTO"):
        if "simulated" in values[name]:
            found.append(f"{name} names simulated: its prices are made up")
    if "*" in values["ALLOWED_HOSTS"]:
        found.append("ALLOWED_HOSTS is *: links in mails can be made to lead anywhere")
    if not values["ADMIN_API_KEY"]:
        found.append("ADMIN_API_KEY is empty: nobody can register brokers")
    if values["REQUIRE_VERIFIED_EMAIL"] and "console" in values["EMAIL_BACKEND"]:
        found.append("REQUIRE_VERIFIED_EMAIL is on, and EMAIL_URL sends no mails")
    return found
