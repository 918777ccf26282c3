"""Funding under `/api/v1/`: rates for everybody, payments for those they concern."""

from uuid import UUID

from django.http import StreamingHttpResponse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from brokers.api.callers import caller_of
from brokers.api.permissions import READER_OR_VENUE, check_named_account
from common.api.csv_answers import page_or_csv, read_is_csv
from common.api.fields import FieldReader
from common.api.pagination import fetch_page, read_page_request
from common.api.views import ApiView
from margin.api import funding_schema as schema
from margin.api.funding_documents import (
    FUNDING_COLUMNS,
    PAYMENT_COLUMNS,
    funding_document,
    interval_document,
    payment_document,
)
from margin.api.queries import FundingsQuery, PaymentsQuery, PeriodQuery
from margin.selectors.funding import (
    PaymentFilter,
    get_running_interval,
    list_fundings,
    list_payments,
)
from marketdata.selectors import get_instrument_spec


class FundingsView(ApiView):
    """`funding`: what was fixed of all perpetuals, newest first."""

    required_scope = READER_OR_VENUE

    @schema.list_fundings
    def get(self, request: Request) -> Response | StreamingHttpResponse:
        reader = FieldReader.of_query(request.query_params)
        filters = reader.struct(FundingsQuery)
        wanted = read_page_request(reader, UUID)
        is_csv = read_is_csv(reader)
        reader.finish()
        symbol = filters.symbol
        instrument_id = None if symbol is None else get_instrument_spec(symbol).id
        return page_or_csv(
            request,
            list_fundings(instrument_id, since=filters.since, until=filters.until),
            wanted,
            is_csv=is_csv,
            show=funding_document,
            columns=FUNDING_COLUMNS,
            name="funding",
        )


class FundingRatesView(ApiView):
    """`funding-rates/{symbol}`: what was fixed, newest first, and what the running one may be."""

    required_scope = READER_OR_VENUE

    @schema.list_funding_rates
    def get(self, request: Request, symbol: str) -> Response:
        reader = FieldReader.of_query(request.query_params)
        period = reader.struct(PeriodQuery)
        wanted = read_page_request(reader, UUID)
        reader.finish()
        instrument = get_instrument_spec(symbol)
        running = get_running_interval(instrument, now=timezone.now())
        fundings = list_fundings(instrument.id, since=period.since, until=period.until)
        page = fetch_page(fundings, wanted)
        is_first = wanted.before is None and wanted.after is None
        return Response(
            {
                "symbol": instrument.symbol,
                "predicted": interval_document(running) if is_first else None,
                **page.document(request, funding_document),
            }
        )


class FundingPaymentsView(ApiView):
    """`funding-payments`: of the caller's accounts; of all for the venue's own key."""

    required_scope = READER_OR_VENUE

    @schema.list_funding_payments
    def get(self, request: Request) -> Response | StreamingHttpResponse:
        caller = caller_of(request)
        reader = FieldReader.of_query(request.query_params)
        query = reader.struct(PaymentsQuery)
        filters = PaymentFilter(
            broker_id=caller.broker_id,
            account_id=query.account_id or caller.account_id,
            symbol=query.symbol,
            since=query.since,
            until=query.until,
        )
        wanted = read_page_request(reader, int)
        is_csv = read_is_csv(reader)
        reader.finish()
        check_named_account(caller, filters.account_id)
        return page_or_csv(
            request,
            list_payments(filters),
            wanted,
            is_csv=is_csv,
            show=payment_document,
            columns=PAYMENT_COLUMNS,
            name="funding-payments",
        )
