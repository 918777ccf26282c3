"""`manage.py check_ledger`: compare what is stored twice, in one moment of the running venue."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from common.reconciliation import CheckResult
from exchange_project.reconciliation import check_venue

_SHOWN_DEFAULT = 10


class Command(BaseCommand):
    """Exit code 0: all agrees; 1: something differs. Nothing is repaired, nothing is locked."""

    help = "Check balances, postings, holds, fills and trades against each other."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print JSON.")
        parser.add_argument(
            "--limit",
            type=int,
            default=_SHOWN_DEFAULT,
            help="Differences to show for each check (default: %(default)s).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        results = check_venue(shown_max=max(options["limit"], 0))
        self.stdout.write(_as_json(results) if options["json"] else _as_table(results))
        if any(result.difference_count for result in results):
            raise SystemExit(1)


def _as_json(results: list[CheckResult]) -> str:
    is_clean = not any(result.difference_count for result in results)
    checks = [{**asdict(result), "seconds": round(result.seconds, 3)} for result in results]
    return json.dumps({"is_clean": is_clean, "checks": checks}, indent=2)


def _as_table(results: list[CheckResult]) -> str:
    width = max(len(result.name) for result in results)
    lines = [f"{'check':<{width}}  {'rows':>12}  {'seconds':>8}  {'differ':>7}"]
    for result in results:
        lines.append(
            f"{result.name:<{width}}  {result.rows:>12,}  {result.seconds:>8.2f}"
            f"  {result.difference_count:>7,}"
        )
    for result in results:
        if result.difference_count:
            lines += ["", f"{result.name}: broken is “{result.meaning}”", *_differences(result)]
    total = sum(result.difference_count for result in results)
    lines += ["", "Everything agrees." if not total else f"{total:,} differences."]
    return "\n".join(lines)


def _differences(result: CheckResult) -> list[str]:
    lines = [
        "  " + "  ".join(f"{name} {value}" for name, value in difference.items())
        for difference in result.shown
    ]
    hidden = result.difference_count - len(result.shown)
    return [*lines, f"  … and {hidden:,} more"] if hidden else lines
