"""What people ask of the pages in addresses; what makes no sense is as if it were not there."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import TypeVar
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Model, QuerySet
from django.http import HttpRequest

from common.api.fields import FieldReader
from common.api.pagination import Page, fetch_page, read_page_request

Row = TypeVar("Row", bound=Model)

PERIODS = {
    "1h": ("Hour", timedelta(hours=1)),
    "1d": ("Day", timedelta(days=1)),
    "7d": ("Week", timedelta(days=7)),
    "90d": ("90 days", timedelta(days=90)),
}
_TEXT_MAX = 40


def text_of(request: HttpRequest, name: str) -> str:
    """A short text without what cannot be printed."""
    return "".join(filter(str.isprintable, request.GET.get(name, ""))).strip()[:_TEXT_MAX]


def choice_of(request: HttpRequest, name: str, choices: Iterable[str], default: str) -> str:
    """One of the choices."""
    text = request.GET.get(name, "")
    return text if text in set(choices) else default


def count_of(request: HttpRequest, name: str, *, default: int = 1, at_most: int = 100_000) -> int:
    """A whole number from one on."""
    text = request.GET.get(name, "")
    return min(int(text), at_most) if text.isascii() and text.isdigit() and int(text) else default


def broker_of(request: HttpRequest) -> UUID | None:
    """The id of a broker."""
    try:
        return UUID(request.GET.get("broker", ""))
    except ValueError:
        return None


def percent_of(
    request: HttpRequest, name: str, *, default: Decimal, least: Decimal, most: Decimal
) -> Decimal:
    """A percentage within bounds, with at most two decimals."""
    try:
        value = Decimal(request.GET.get(name, "").strip() or default)
        return min(most, max(least, value)).quantize(Decimal("0.01")).normalize()
    except InvalidOperation:
        return default


def address(chosen: Mapping[str, object], **changes: object) -> str:
    """The query that asks for what is chosen, changed; without what is empty."""
    wanted = {**chosen, **changes}
    return "?" + urlencode(
        {name: value for name, value in wanted.items() if value not in ("", None)}
    )


def page_of(
    request: HttpRequest, rows: QuerySet[Row], id_type: type[int] | type[UUID], *, size: int
) -> Page:
    """The page of rows, not ordered yet, that `cursor` asks for; the newest first."""
    wanted = read_page_request(FieldReader.of_query(request.GET, ignore_unknown=True), id_type)
    return fetch_page(rows, replace(wanted, size=size))


def neighbours(chosen: Mapping[str, object], page: Page) -> dict[str, str | None]:
    """The addresses of the pages before (newer) and after (older); None where there is none."""
    return {
        "earlier": address(chosen, cursor=page.previous) if page.previous else None,
        "later": address(chosen, cursor=page.next) if page.next else None,
    }
