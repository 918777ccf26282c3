"""Liquidations and margin calls under `/api/v1/`: one's own; all of them for the venue's key."""

from uuid import UUID

from django.http import StreamingHttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from brokers.api.callers import caller_of
from brokers.api.permissions import (
    READER_OR_VENUE,
    check_account_visible,
    check_named_account,
)
from common.api.csv_answers import page_or_csv, read_is_csv
from common.api.fields import FieldReader
from common.api.pagination import read_page_request
from common.api.views import ApiView
from margin.api import history_schema as schema
from margin.api.history_documents import (
    CALL_COLUMNS,
    LIQUIDATION_COLUMNS,
    call_document,
    full_liquidation_document,
    liquidation_document,
)
from margin.api.queries import HistoryQuery, LiquidationsQuery, MarginCallsQuery
from margin.selectors.calls import list_margin_calls
from margin.selectors.liquidations import HistoryFilter, get_liquidation, list_liquidations


class LiquidationsView(ApiView):
    """`liquidations`: what was liquidated, newest first."""

    required_scope = READER_OR_VENUE

    @schema.list_liquidations
    def get(self, request: Request) -> Response | StreamingHttpResponse:
        reader = FieldReader.of_query(request.query_params)
        query = reader.struct(LiquidationsQuery)
        filters = _filters(request, query)
        wanted = read_page_request(reader, UUID)
        is_csv = read_is_csv(reader)
        reader.finish()
        check_named_account(caller_of(request), filters.account_id)
        return page_or_csv(
            request,
            list_liquidations(filters, outcome=query.outcome),
            wanted,
            is_csv=is_csv,
            show=liquidation_document,
            columns=LIQUIDATION_COLUMNS,
            name="liquidations",
        )


class LiquidationView(ApiView):
    """`liquidations/{id}`: one with its steps."""

    required_scope = READER_OR_VENUE

    @schema.get_liquidation
    def get(self, request: Request, liquidation_id: UUID) -> Response:
        found, caller = get_liquidation(liquidation_id), caller_of(request)
        if not caller.is_venue_admin:
            check_account_visible(
                caller, broker_id=found.account.broker_id, account_id=found.account_id
            )
        return Response(full_liquidation_document(found))


class MarginCallsView(ApiView):
    """`margin-calls`: who was asked for collateral, newest first."""

    required_scope = READER_OR_VENUE

    @schema.list_margin_calls
    def get(self, request: Request) -> Response | StreamingHttpResponse:
        reader = FieldReader.of_query(request.query_params)
        query = reader.struct(MarginCallsQuery)
        filters = _filters(request, query)
        wanted = read_page_request(reader, int)
        is_csv = read_is_csv(reader)
        reader.finish()
        check_named_account(caller_of(request), filters.account_id)
        return page_or_csv(
            request,
            list_margin_calls(filters, is_open=query.open),
            wanted,
            is_csv=is_csv,
            show=call_document,
            columns=CALL_COLUMNS,
            name="margin-calls",
        )


def _filters(request: Request, query: HistoryQuery) -> HistoryFilter:
    """What the query asks for, within what the caller may see."""
    caller = caller_of(request)
    return HistoryFilter(
        broker_id=caller.broker_id,
        account_id=query.account_id or caller.account_id,
        asset=query.asset,
        since=query.since,
        until=query.until,
    )
