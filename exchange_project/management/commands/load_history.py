"""`manage.py load_history`: fill a venue that has no orders with a made-up history."""

import time
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from exchange_project.history.errors import EngineTookLead, HistoryRefused
from exchange_project.history.loading import HistoryPlan, Loaded, load_history
from exchange_project.history.world import Size

_PROGRESS_SECONDS = 2.0
_HELP = """
Fill a venue that has no orders with brokers, accounts, instruments, deposits, orders, trades and
their double entry, as if all of it had been traded: about 0.8 trades and four postings an order.
For benchmarks and for trying out how a full database behaves. Stop the engine before; no other
process has to run. Rows arrive by COPY in transactions of some ten thousand orders, each of which
leaves the venue consistent; no constraint or trigger is switched off, and `check_ledger` passes at
any time. A load that is interrupted leaves a shorter history. `actor` of its entries is
"load_history". The ledger is append-only: what is loaded can only be removed with the database, or
by a reset of the venue.
"""


class Command(BaseCommand):
    """Load a history; the engine that starts afterwards goes on from it."""

    help = _HELP

    def add_arguments(self, parser: ArgumentParser) -> None:
        size = Size()
        parser.add_argument("--orders", type=_count, required=True, help="Orders in all.")
        parser.add_argument(
            "--open-orders", type=_count, default=0, metavar="M", help="Of these, open ones."
        )
        parser.add_argument("--seed", type=int, default=1, help="Another seed, other orders.")
        parser.add_argument("--brokers", type=_positive, default=size.brokers)
        parser.add_argument("--accounts", type=_positive, default=size.accounts_per_broker,
                            help="Accounts of each broker.")  # fmt: skip
        parser.add_argument("--instruments", type=_positive, default=size.instruments)
        parser.add_argument(
            "--orders-per-second",
            type=_positive,
            default=1_000,
            help="How closely the orders follow each other (default: %(default)s); the last one "
            "came a minute ago.",
        )
        parser.add_argument(
            "--database",
            metavar="NAME",
            help="The name of the database, to confirm it. Needed where ALLOW_RESET is off: what "
            "is loaded there stays.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        _check_confirmed(options["database"])
        plan = _plan(options)
        self._shown_at = time.monotonic()
        try:
            loaded = load_history(
                plan, on_progress=lambda loaded: self._show_progress(loaded, plan)
            )
        except (HistoryRefused, EngineTookLead) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{loaded.orders:,} orders, {loaded.trades:,} trades, {loaded.postings:,} postings of "
            f"trades in {loaded.seconds:,.0f} s."
        )

    def _show_progress(self, loaded: Loaded, plan: HistoryPlan) -> None:
        if time.monotonic() - self._shown_at < _PROGRESS_SECONDS:
            return
        self._shown_at = time.monotonic()
        self.stdout.write(progress_line(loaded, plan.orders))
        self.stdout.flush()


def progress_line(loaded: Loaded, total: int) -> str:
    """How far a load is, how fast, and how long it will take at that rate."""
    rate = loaded.orders / loaded.seconds
    minutes, seconds = divmod(round((total - loaded.orders) / rate), 60)
    return (
        f"{loaded.orders:>12,} of {total:,} orders ({loaded.orders / total:.0%}), "
        f"{loaded.postings:,} postings, {rate:,.0f} orders/s, {minutes}:{seconds:02} left"
    )


def _plan(options: dict[str, Any]) -> HistoryPlan:
    if options["open_orders"] > options["orders"]:
        raise CommandError("--open-orders is at most --orders.")
    if options["brokers"] * options["accounts"] < 2:
        raise CommandError("It takes two accounts to trade.")
    return HistoryPlan(
        orders=options["orders"],
        open_orders=options["open_orders"],
        orders_per_second=options["orders_per_second"],
        seed=options["seed"],
        size=Size(options["brokers"], options["accounts"], options["instruments"]),
    )


def _check_confirmed(name: str | None) -> None:
    """A venue that cannot be reset keeps what is loaded: whoever loads it names its database."""
    actual = connection.settings_dict["NAME"]
    if name is None and settings.ALLOW_RESET:
        return
    if name is None:
        raise CommandError(
            "ALLOW_RESET is off here, so what is loaded would stay in the ledger for good. If this "
            f"is the right database, add --database {actual}."
        )
    if name != actual:
        raise CommandError(f"This is the database {actual}, not {name}.")


def _count(text: str) -> int:
    value = int(text.replace(",", "").replace("_", ""))
    if value < 0:
        raise ArgumentTypeError("zero or more, please")
    return value


def _positive(text: str) -> int:
    value = _count(text)
    if value == 0:
        raise ArgumentTypeError("one or more, please")
    return value
