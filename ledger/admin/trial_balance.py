"""The trial balance as a page of the back office, and as CSV."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from common.errors import ExchangeError
from ledger.models import LedgerAccount
from ledger.reports import grouped, trial_balance_csv
from ledger.selectors import AssetBalance, BalanceSum, get_trial_balance
from ledger.selectors.settled import settled_end

PERMISSION = "ledger.view_ledgeraccount"
TITLE = "Trial balance"


@dataclass(frozen=True, slots=True)
class _Line:
    """A line as it is shown."""

    kind: str
    account_count: str
    debit: str
    credit: str
    net: str


@dataclass(frozen=True, slots=True)
class _Section:
    """The lines of an asset as they are shown."""

    asset: str
    lines: list[_Line]
    total: _Line
    is_balanced: bool


def trial_balance_page(request: HttpRequest) -> HttpResponse:
    """The trial balance as of now, or as of the end of a `day` (UTC); of one `asset`, or of all.

    Raises:
        PermissionDenied: the member of staff may not see ledger accounts.
    """
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    asset = "".join(filter(str.isprintable, request.GET.get("asset", ""))).strip()
    day = _read_day(request)
    balances = _balances(request, asset, day)
    if request.GET.get("format") == "csv" and balances is not None:
        name = f"trial-balance-{day or timezone.now().date()}.csv"
        return HttpResponse(
            trial_balance_csv(balances),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )
    chosen = {name: value for name, value in (("asset", asset), ("day", day)) if value}
    context = {
        **admin.site.each_context(request),
        "title": TITLE,
        "asset": asset,
        "day": day,
        "now": timezone.now(),
        "sections": [_section(balance) for balance in balances or ()],
        "differing": [one.asset for one in balances or () if not one.is_balanced],
        "is_there": balances is not None,
        "csv_query": urlencode({**chosen, "format": "csv"}),
    }
    return TemplateResponse(request, "ledger/trial_balance.html", context)


def _read_day(request: HttpRequest) -> date | None:
    """The day asked for; None for now, also instead of nonsense, which is told."""
    text = request.GET.get("day", "").strip()
    try:
        day = date.fromisoformat(text) if text else None
    except ValueError:
        messages.error(request, "The day must look like 2026-01-31. Shown is the present.")
        return None
    return None if day == date.max else day


def _balances(request: HttpRequest, asset: str, day: date | None) -> list[AssetBalance] | None:
    """The balances; None, with the reason told, where they take too long."""
    end = datetime.combine(day + timedelta(days=1), time(), UTC) if day else None
    try:
        at = None if end is None else settled_end(end)
        return get_trial_balance(asset=asset or None, at=at)
    except ExchangeError as error:
        messages.error(request, error.detail)
        return None


def _section(balance: AssetBalance) -> _Section:
    scale = balance.scale
    return _Section(
        asset=balance.asset,
        lines=[_line(LedgerAccount.Kind(line.kind).label, line, scale) for line in balance.lines],
        total=_line("Total", balance.total, scale),
        is_balanced=balance.is_balanced,
    )


def _line(label: str, line: BalanceSum, scale: int) -> _Line:
    amounts = (grouped(amount, scale) for amount in (line.debit, line.credit, line.net))
    return _Line(label, f"{line.account_count:,}", *amounts)
