"""`manage.py verify_ledger`: recompute the chain of seals and name what was tampered with."""

import json
import sys
from argparse import ArgumentParser
from dataclasses import dataclass, field
from typing import Any

from django.core.management.base import BaseCommand

from ledger.selectors.seals import find_last_seal, head_of
from ledger.verification import Finding, VerifiedSeal, check_head, verify_seals

_SHOWN_MAX = 100
_BAR_WIDTH = 40


@dataclass(slots=True)
class _Report:
    """What a run saw; the first findings only, and the number of all."""

    seal_count: int = 0
    entry_count: int = 0
    finding_count: int = 0
    findings: list[Finding] = field(default_factory=list)

    def add_seal(self, verified: VerifiedSeal) -> None:
        self.seal_count += 1
        self.entry_count += verified.entry_count
        for finding in verified.findings:
            self.add(finding)

    def add(self, finding: Finding) -> None:
        self.finding_count += 1
        if len(self.findings) < _SHOWN_MAX:
            self.findings.append(finding)


class Command(BaseCommand):
    """Exit code 0: every seal is right; 1: something was tampered with. Nothing is changed."""

    help = "Recompute the seals of the journal and point at what was tampered with."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--from-seal",
            type=int,
            default=1,
            help="The first seal to look at; the one before it is trusted (default: %(default)s).",
        )
        parser.add_argument("--json", action="store_true", help="Print JSON.")
        parser.add_argument(
            "--print-head",
            action="store_true",
            help="Print the newest seal as number:hash, to be kept elsewhere, and verify nothing.",
        )
        parser.add_argument(
            "--expect-head",
            metavar="NUMBER:HASH",
            help="A head that was kept elsewhere: finds a chain that was written anew, too.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["print_head"]:
            self.stdout.write(head_of(find_last_seal()))
            return
        report = self._verify(max(options["from_seal"], 1))
        expected = options["expect_head"]
        if expected is not None and (finding := check_head(expected)):
            report.add(finding)
        self.stdout.write(_as_json(report) if options["json"] else _as_text(report))
        if report.finding_count:
            raise SystemExit(1)

    def _verify(self, from_seal: int) -> _Report:
        report = _Report()
        last = find_last_seal()
        total = last.number - from_seal + 1 if last else 0
        for verified in verify_seals(from_seal=from_seal):
            report.add_seal(verified)
            self._show_progress(report.seal_count, total)
        if report.seal_count and sys.stderr.isatty():
            self.stderr.write("")
        return report

    def _show_progress(self, done: int, total: int) -> None:
        if not sys.stderr.isatty():
            return
        share = min(done / max(total, 1), 1.0)
        bar = "█" * round(share * _BAR_WIDTH)
        line = f"\r{bar:<{_BAR_WIDTH}} {done:,} of {max(total, done):,} seals"
        self.stderr.write(line, ending="")


def _as_json(report: _Report) -> str:
    document = {
        "is_intact": not report.finding_count,
        "seals": report.seal_count,
        "entries": report.entry_count,
        "head": head_of(find_last_seal()),
        "finding_count": report.finding_count,
        "findings": [
            {
                "kind": str(finding.kind),
                "seal": finding.seal,
                "entry_id": finding.entry_id and str(finding.entry_id),
                "detail": finding.detail,
            }
            for finding in report.findings
        ],
    }
    return json.dumps(document, indent=2)


def _as_text(report: _Report) -> str:
    lines = [f"{report.seal_count:,} seals, {report.entry_count:,} entries."]
    if not report.finding_count:
        head = head_of(find_last_seal())
        return "\n".join([*lines, f"Head: {head or 'none'}", "Every seal is right."])
    lines += ["", f"Tampered with, {report.finding_count:,} times; the first:"]
    lines += [_line(finding) for finding in report.findings]
    hidden = report.finding_count - len(report.findings)
    return "\n".join([*lines, f"  … and {hidden:,} more"] if hidden else lines)


def _line(finding: Finding) -> str:
    entry = f", entry {finding.entry_id}" if finding.entry_id else ""
    return f"  {finding.kind}: seal {finding.seal}{entry}: {finding.detail}"
