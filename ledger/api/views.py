"""Balances, booked lines and statements of a trading account under `/api/v1/`."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

from django.http import StreamingHttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from brokers.api.callers import caller_of
from brokers.api.permissions import check_account_visible
from brokers.models import Scope
from brokers.selectors import get_account
from common.api.csv_answers import read_is_csv
from common.api.fields import FieldReader
from common.api.pagination import make_page, read_page_request
from common.api.renderers import format_instant
from common.api.views import ApiView
from ledger.api import schema
from ledger.api.documents import balance_document, line_document, stream_csv, stream_json
from ledger.api.queries import EntriesQuery, StatementQuery
from ledger.selectors import list_balances, list_posted_lines, list_statement_sections
from ledger.selectors.settled import settled_end
from ledger.types import StatementSection

_DEFAULT_SPAN = timedelta(days=30)
# No instant is before year 1: a span that would begin there is shorter.
_SPAN_OF_BEGINNING = datetime.min.replace(tzinfo=UTC) + _DEFAULT_SPAN


class BalancesView(ApiView):
    """`accounts/{id}/balances`."""

    required_scope = Scope.READ.value

    @schema.list_balances
    def get(self, request: Request, account_id: int) -> Response:
        _check_visible(request, account_id)
        balances = [balance_document(balance) for balance in list_balances(account_id)]
        return Response({"account_id": account_id, "balances": balances})


class EntriesView(ApiView):
    """`accounts/{id}/entries`: the lines booked on the account, newest first."""

    required_scope = Scope.READ.value

    @schema.list_entries
    def get(self, request: Request, account_id: int) -> Response:
        _check_visible(request, account_id)
        reader = FieldReader.of_query(request.query_params)
        asset = reader.struct(EntriesQuery).asset
        wanted = read_page_request(reader, int)
        reader.finish()
        lines = list_posted_lines(
            account_id,
            limit=wanted.limit,
            before=cast(int | None, wanted.before),
            after=cast(int | None, wanted.after),
            asset=asset,
        )
        page = make_page(lines, wanted, lambda line: line.id)
        return Response(page.document(request, line_document))


class StatementView(ApiView):
    """`accounts/{id}/statement`: all that was booked in a span of time, streamed."""

    required_scope = Scope.READ.value

    @schema.get_statement
    def get(self, request: Request, account_id: int) -> StreamingHttpResponse:
        _check_visible(request, account_id)
        wanted = read_statement_request(request)
        sections = list_statement_sections(account_id, since=wanted.since)
        return statement_response({"account_id": account_id}, sections, wanted)


@dataclass(frozen=True, slots=True)
class StatementRequest:
    """The span of a statement (`until` is exclusive) and its form."""

    since: datetime
    until: datetime
    is_csv: bool


def read_statement_request(request: Request) -> StatementRequest:
    """What the query string asks for: by default the last 30 days as JSON.

    Its end is settled: what is before it never changes.

    Raises:
        NotSettledYet: transactions from before the end take too long.
        ValidationFailed: a field is wrong, or the span is empty.
    """
    reader = FieldReader.of_query(request.query_params)
    query, is_csv = reader.struct(StatementQuery), read_is_csv(reader)
    until = settled_end(query.until)
    since = query.since or max(until, _SPAN_OF_BEGINNING) - _DEFAULT_SPAN
    if since >= until:
        reader.refuse("since", "not_before_until", "since must be before until.")
    reader.finish()
    return StatementRequest(since, until, is_csv)


def statement_response(
    owner: dict[str, int], sections: list[StatementSection], wanted: StatementRequest
) -> StreamingHttpResponse:
    """The statement of these sections, streamed; the first member of `owner` names the file."""
    if not wanted.is_csv:
        body = stream_json(owner, sections, wanted.since, wanted.until)
        return StreamingHttpResponse(body, content_type="application/json")
    name = f"statement-{next(iter(owner.values()))}.csv"
    return StreamingHttpResponse(
        stream_csv(sections, wanted.until),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Statement-Until": format_instant(wanted.until),
        },
    )


def _check_visible(request: Request, account_id: int) -> None:
    """See that the account is the caller's.

    Raises:
        AccountNotFound, OtherAccount: there is none, or it is not.
    """
    account = get_account(account_id)
    check_account_visible(caller_of(request), broker_id=account.broker_id, account_id=account_id)
