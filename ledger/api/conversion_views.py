"""Conversions under `/api/v1/`: a quote that holds for some seconds, then the conversion."""

from typing import Any
from uuid import UUID

from django.http import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from brokers.api.callers import caller_of
from brokers.api.permissions import check_account_visible
from brokers.models import Scope
from common.api.fields import FieldReader
from common.api.idempotency import idempotent, read_request_key
from common.api.pagination import list_page
from common.api.views import ApiView
from ledger.api import money_schema as schema
from ledger.api.money_documents import conversion_document
from ledger.errors import QuoteNotFound
from ledger.models import ConversionQuote
from ledger.selectors import get_quote, list_conversions
from ledger.selectors.wallets import get_wallet
from ledger.services import find_market_rate, quote_conversion
from ledger.services.conversions import use_quote


class ConversionQuotesView(ApiView):
    """`conversions/quotes`: what one would get, for some seconds."""

    required_scope = {"POST": Scope.TRANSFER.value}

    @schema.quote_conversion
    def post(self, request: Request) -> HttpResponseBase:
        # A key is a digest of the raw body, which can only be read before it is parsed.
        read_request_key(request)
        wanted = _read_quote_request(request)
        principal = caller_of(request)
        from_currency = get_wallet(wanted["from_wallet_id"], principal=principal).currency
        to_currency = wanted["to_currency"]
        if wanted["to_wallet_id"] is not None:
            to_currency = get_wallet(wanted["to_wallet_id"], principal=principal).currency
        # The transaction of an Idempotency-Key does not wait for price services.
        market_rate = find_market_rate(from_currency, to_currency)
        return self._quote(request, {**wanted, "market_rate": market_rate})

    @idempotent
    def _quote(self, request: Request, wanted: dict[str, Any]) -> HttpResponseBase:
        return Response(conversion_document(quote_conversion(**wanted)), status=201)


class ConversionsView(ApiView):
    """`conversions`: list them, use a quote."""

    required_scope = {"GET": Scope.READ.value, "POST": Scope.TRANSFER.value}

    @schema.list_conversions
    def get(self, request: Request) -> Response:
        principal = caller_of(request)
        conversions = list_conversions(
            broker_id=principal.own_broker_id, account_id=principal.account_id
        )
        return Response(list_page(request, conversions, conversion_document, id_type=UUID))

    @schema.convert
    @idempotent
    def post(self, request: Request) -> Response:
        reader = FieldReader.of_body(request.data)
        quote_id = reader.uuid("quote_id")
        reader.finish()
        _own_quote(request, quote_id)
        conversion, is_new = use_quote(quote_id=quote_id, actor=caller_of(request).actor)
        return Response(conversion_document(conversion), status=201 if is_new else 200)


class ConversionView(ApiView):
    """`conversions/{id}`."""

    required_scope = {"GET": Scope.READ.value}

    @schema.get_conversion
    def get(self, request: Request, quote_id: UUID) -> Response:
        quote = _own_quote(request, quote_id)
        if quote.entry_id is None:
            raise QuoteNotFound("The quote was not used.", quote_id=quote_id)
        return Response(conversion_document(quote))


def _read_quote_request(request: Request) -> dict[str, Any]:
    """The arguments of `quote_conversion` that a body names."""
    reader = FieldReader.of_body(request.data)
    wanted = {
        "from_wallet_id": reader.row_id("from_wallet_id"),
        "to_wallet_id": reader.optional_row_id("to_wallet_id"),
        "to_currency": reader.optional_symbol("to_currency"),
        "sell_amount": reader.optional_decimal("sell_amount"),
        "buy_amount": reader.optional_decimal("buy_amount"),
    }
    if (wanted["to_wallet_id"] is None) == (wanted["to_currency"] is None):
        detail = "Give one of to_wallet_id and to_currency."
        reader.refuse("to_wallet_id", "one_of_two", detail)
    if (wanted["sell_amount"] is None) == (wanted["buy_amount"] is None):
        reader.refuse("sell_amount", "one_of_two", "Give one of sell_amount and buy_amount.")
    reader.finish()
    return wanted


def _own_quote(request: Request, quote_id: UUID) -> ConversionQuote:
    """A quote for a wallet of the caller's.

    Raises:
        QuoteNotFound, OtherAccount: there is none, or it is somebody else's.
    """
    quote = get_quote(quote_id)
    account = quote.source.trading_account
    assert account is not None
    check_account_visible(caller_of(request), broker_id=account.broker_id, account_id=account.id)
    return quote
