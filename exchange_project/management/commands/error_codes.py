"""`manage.py error_codes`: the table of every code that a refused request can carry, as Markdown.

docs/errors.md is its output; a test keeps the two the same.
"""

import re
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand

from common.errors import ExchangeError, StoredRefusal
from ledger.errors import TransferRefused
from ledger.types import TransferReason
from orders.errors import DeadlineExceeded, OrderRefused
from orders.types import Reason

_HEAD = """\
# Error codes

Every code that the venue answers with. In `/api/v1` it is the member `code` of the problem
document, with the facts beside it; in the classic dialect the status is the same and the text
stands in `detail`. What is wrong with single fields is told in `errors`, each with a code of its
own. [How errors look](api.md#errors).

Made by `python manage.py error_codes > docs/errors.md` from the classes; not edited by hand.
"""
_REFUSED = """
## Orders that are refused, canceled or expired

Why an order is REJECTED, CANCELED or EXPIRED: the `reason` of the order. An order that is refused
is stored, and its request is answered with the reason as code, with the `order_id` and the figures.
"""
# How a reason came about, for people.
_REASONS: dict[Reason, str] = {
    Reason.BY_USER: "Its owner canceled it.",
    Reason.BY_STAFF: "The venue's staff canceled it.",
    Reason.NO_LIQUIDITY: "The rest of a MARKET order found nobody within its price collar.",
    Reason.IMMEDIATE_OR_CANCEL: "The rest of an IOC order found nobody within its limit price.",
    Reason.VALID_UNTIL_PASSED: "Its `valid_until` came before it was filled.",
    Reason.LIQUIDATION: "The account is liquidated: its orders go first.",
    Reason.DEADLINE_EXCEEDED: "It waited for the engine longer than ORDER_WINDOW_SECONDS.",
    Reason.ACCOUNT_SUSPENDED: "The trading account is suspended; its open orders are CANCELED.",
    Reason.ACCOUNT_CLOSED: "The trading account is closed; its open orders are CANCELED.",
    Reason.BROKER_SUSPENDED: "The broker is suspended; its open orders are CANCELED.",
    Reason.WALLET_SUSPENDED: "A wallet that it would debit or credit is suspended; an order that "
    "rests is CANCELED when it is met.",
    Reason.WALLET_CLOSED: "A wallet that it would debit or credit is closed; an order that rests "
    "is CANCELED when it is met.",
    Reason.INSTRUMENT_NOT_TRADING: "The instrument is not in the state CONTINUOUS.",
    Reason.INSUFFICIENT_FUNDS: "The account has less than a buy would cost or hold.",
    Reason.INSUFFICIENT_POSITION: "The account has less of the asset than a sell offers.",
    Reason.CREDIT_LIMIT_EXCEEDED: "The account would go below its credit limit.",
    Reason.MARGIN_ACCOUNT_REQUIRED: "Perpetuals need a prefunded account with collateral.",
    Reason.QUANTITY_BELOW_MINIMUM: "The quantity is below the instrument's minimum.",
    Reason.QUANTITY_ABOVE_MAXIMUM: "The quantity is above the instrument's maximum.",
    Reason.NOTIONAL_BELOW_MINIMUM: "Price × quantity is below the instrument's minimum.",
    Reason.NOTIONAL_ABOVE_MAXIMUM: "Price × quantity is above the instrument's maximum.",
    Reason.PRICE_OUT_OF_BAND: "The price is too far from the last price, or from the mark price.",
    Reason.PRICE_NOT_MARKETABLE: "The dealer's price is above a buy's, or below a sell's.",
    Reason.INSUFFICIENT_MARGIN: "Equity is less than margin, loss reserve and fee with it; a "
    "resting order that its account could no longer carry is CANCELED.",
    Reason.MARGIN_ACCOUNT_FROZEN: "The account's collateral is frozen.",
    Reason.MARK_PRICE_STALE: "There is no mark price, or it is too old to take on more risk.",
    Reason.POSITION_ABOVE_MAXIMUM: "The position would exceed the instrument's largest.",
    Reason.SIMULATED: "A sandbox account wanted it; what it wanted in part ends CANCELED.",
}
_FAILED = """
## Failed transfers

Why a transfer is FAILED: the `reason` of the transfer. One that is refused at once is stored, and
its request is answered with the reason as code, 422, with the `transfer_id` and the figures.
"""
_TRANSFER_REASONS: dict[TransferReason, str] = {
    TransferReason.INSUFFICIENT_FUNDS: "The wallet that pays has less available.",
    TransferReason.WALLET_SUSPENDED: "One of the two wallets is suspended.",
    TransferReason.WALLET_CLOSED: "One of the two wallets is closed.",
    TransferReason.ACCOUNT_SUSPENDED: "The trading account that pays is suspended.",
    TransferReason.ACCOUNT_CLOSED: "One of the two trading accounts is closed.",
    TransferReason.LINKED_FAILED: "Another one of the linked transfers failed.",
    TransferReason.VOIDED: "One of the two sides ended it while it was pending.",
    TransferReason.TIMED_OUT: "Nobody posted it in its time.",
}
# Their code is the reason: those have tables of their own.
_WITH_REASONS = (OrderRefused, TransferRefused, StoredRefusal)
_CANCELED = (
    Reason.BY_USER,
    Reason.BY_STAFF,
    Reason.NO_LIQUIDITY,
    Reason.IMMEDIATE_OR_CANCEL,
    Reason.LIQUIDATION,
)
_EXPIRED = (Reason.VALID_UNTIL_PASSED,)
_EITHER = (
    Reason.ACCOUNT_SUSPENDED,
    Reason.ACCOUNT_CLOSED,
    Reason.BROKER_SUSPENDED,
    Reason.WALLET_SUSPENDED,
    Reason.WALLET_CLOSED,
)
_FACTS = re.compile(r"Facts: (.+?)\.?\s*$", re.DOTALL)


class _Row(NamedTuple):
    code: str
    status: int
    meaning: str
    facts: str


class Command(BaseCommand):
    """Prints the table. Needs no database."""

    help = "Print the table of all error codes as Markdown."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(error_table(), ending="")


def error_table() -> str:
    """The whole document: what requests are refused with, then why orders end unfilled."""
    lines = [_HEAD, "| code | status | meaning | facts |", "|---|---|---|---|"]
    for row in sorted({_row(error) for error in _errors_of_clients()}):
        lines.append(f"| `{row.code}` | {row.status} | {row.meaning} | {row.facts} |")
    lines += [_REFUSED, "| reason | the order is | answered with | meaning |", "|---|---|---|---|"]
    for reason in sorted(Reason):
        lines.append(f"| `{reason}` | {_end(reason)} | {_answer(reason)} | {_REASONS[reason]} |")
    lines += [_FAILED, "| reason | meaning |", "|---|---|"]
    lines += [f"| `{reason}` | {_TRANSFER_REASONS[reason]} |" for reason in sorted(TransferReason)]
    return "\n".join(lines) + "\n"


def _errors_of_clients() -> Iterator[type[ExchangeError]]:
    """Every error class of the `errors` modules, where what clients can meet is declared."""
    modules = {"common.errors"}
    for app in apps.get_app_configs():
        name = f"{app.name}.errors"
        if (settings.BASE_DIR / app.name).is_dir() and find_spec(name):
            modules.add(name)
    for module in sorted(modules):
        import_module(module)
    for error in _subclasses(ExchangeError):
        if error.__module__ in modules and error not in _WITH_REASONS:
            yield error


def _subclasses(error: type[ExchangeError]) -> Iterator[type[ExchangeError]]:
    for subclass in error.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)


def _row(error: type[ExchangeError]) -> _Row:
    facts = _FACTS.search(error.__doc__ or "")
    # Words in parentheses, and sentences after the first, explain the facts.
    listed = re.sub(r"\(.*?\)", "", facts.group(1).split(".")[0], flags=re.DOTALL) if facts else ""
    names = re.findall(r"\w+", listed)
    shown = ", ".join(f"`{name}`" for name in names)
    return _Row(error.code, error.status, error.title(), shown)


def _end(reason: Reason) -> str:
    if reason in _EITHER:
        return "REJECTED or CANCELED"
    if reason in _EXPIRED:
        return "EXPIRED"
    return "CANCELED" if reason in _CANCELED else "REJECTED"


def _answer(reason: Reason) -> str:
    if reason in _CANCELED or reason in _EXPIRED:
        return "the order itself"
    return str(DeadlineExceeded.status if reason == DeadlineExceeded.code else OrderRefused.status)
