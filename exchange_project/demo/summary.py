"""The demo in a few lines: who there is, with which key and which accounts."""

from pathlib import Path

from django.conf import settings

from brokers.models import TradingAccount
from exchange_project.demo.data import BROKERS, EQUITIES, OTHER_INSTRUMENTS
from exchange_project.demo.keys import read_keys


def demo_summary() -> str:
    """A block of plain text. The keys are the demo's own; no other secret is in it."""
    keys = read_keys(Path(settings.DEMO_KEYS_FILE))
    rows = [("broker", "accounts", "key", "")]
    rows += [
        (broker.name, _accounts_of(broker.name) or "made by orders", keys.get(broker.name, "-"),
         broker.about)
        for broker in BROKERS
    ]  # fmt: skip
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        "  ".join(
            [*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]
        ).rstrip()
        for row in rows
    ]
    symbols = [symbol for symbol, _ in EQUITIES]
    symbols += [instrument["symbol"] for instrument in OTHER_INSTRUMENTS]
    return "\n".join(["Demo", *lines, f"listed  {' '.join(symbols)}"])


def _accounts_of(name: str) -> str:
    wanted = {
        account.document_number
        for broker in BROKERS
        if broker.name == name
        for account in broker.accounts
    }
    found = TradingAccount.objects.filter(
        broker__name=name, broker__is_self_registered=False, document_number__in=wanted
    )
    return ", ".join(str(id) for id in found.order_by("id").values_list("id", flat=True))
