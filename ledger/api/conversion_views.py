"""Conversions under `/api/v1/`: a quote that holds for some seconds, then the conversion."""

from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from brokers.api.callers import caller_of
from brokers.api.permissions import check_account_visible
from brokers.models import Scope
from common.api.fields import FieldReader
from common.api.pagination import list_page
from common.api.views import ApiView
from ledger.api import money_schema as schema
from ledger.api.idempotency import idempotent
from ledger.api.money_documents import conversion_document
from ledger.errors import QuoteNotFound
from ledger.models import ConversionQuote
from ledger.selectors import get_quote, list_conversions
from ledger.selectors.wallets import get_wallet
from ledger.services import quote_conversion
from ledger.services.conversions import use_quote


class ConversionQuotesView(ApiView):
    """`conversions/quotes`: what one would get, for some seconds."""

    required_scope = {"POST": Scope.TRANSFER.value}

    @schema.quote_conversion
    def post(self, request: Request) -> Response:
        principal = caller_of(request)
        reader = FieldReader.of_body(request.data)
        from_wallet_id = reader.row_id("from_wallet_id")
        to_wallet_id = reader.optional_row_id("to_wallet_id")
        to_currency = reader.optional_symbol("to_currency")
        sell_amount = reader.optional_decimal("sell_amount")
        buy_amount = reader.optional_decimal("buy_amount")
        if (to_wallet_id is None) == (to_currency is None):
            detail = "Give one of to_wallet_id and to_currency."
            reader.refuse("to_wallet_id", "one_of_two", detail)
        if (sell_amount is None) == (buy_amount is None):
            reader.refuse("sell_amount", "one_of_two", "Give one of sell_amount and buy_amount.")
        reader.finish()
        for wallet_id in (from_wallet_id, to_wallet_id):
            if wallet_id is not None:
                get_wallet(wallet_id, principal=principal)
        quote = quote_conversion(
            from_wallet_id=from_wallet_id,
            to_wallet_id=to_wallet_id,
            to_currency=to_currency,
            sell_amount=sell_amount,
            buy_amount=buy_amount,
        )
        return Response(conversion_document(quote), status=201)


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
