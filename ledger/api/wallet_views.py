"""Wallets under `/api/v1/`: a caller sees those of its own accounts."""

from django.http import StreamingHttpResponse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from brokers.api.callers import caller_of
from brokers.api.permissions import check_named_account
from brokers.models import Scope
from brokers.types import Principal
from common.api.fields import FieldReader
from common.api.idempotency import idempotent
from common.api.pagination import fetch_page, read_page_request
from common.api.views import ApiView
from ledger.api import wallet_schema as schema
from ledger.api.queries import BalanceQuery, WalletsQuery
from ledger.api.views import read_statement_request, statement_response
from ledger.api.wallet_documents import wallet_document
from ledger.selectors import list_statement_sections
from ledger.selectors.settled import settled_end
from ledger.selectors.wallets import get_balance_at, get_wallet, list_wallets, wallet_of
from ledger.services.wallets import open_wallet


class WalletsView(ApiView):
    """`wallets`: list them, open one."""

    required_scope = {"GET": Scope.READ.value, "POST": Scope.TRANSFER.value}

    @schema.list_wallets
    def get(self, request: Request) -> Response:
        principal = caller_of(request)
        reader = FieldReader.of_query(request.query_params)
        filters = reader.struct(WalletsQuery)
        wanted = read_page_request(reader, int)
        reader.finish()
        check_named_account(principal, filters.account_id)
        wallets = list_wallets(
            broker_id=principal.own_broker_id,
            account_id=principal.account_id or filters.account_id,
            currency=filters.currency,
            status=filters.status,
        )
        page = fetch_page(wallets, wanted)
        return Response(page.document(request, lambda row: wallet_document(wallet_of(row))))

    @schema.open_wallet
    @idempotent
    def post(self, request: Request) -> Response:
        principal = caller_of(request)
        reader = FieldReader.of_body(request.data)
        currency = reader.symbol("currency")
        account_id = _read_account(reader, principal)
        reader.finish()
        check_named_account(principal, account_id)
        wallet = open_wallet(account_id=account_id, currency=currency)
        return Response(wallet_document(wallet), status=201)


class WalletView(ApiView):
    """`wallets/{id}`."""

    required_scope = {"GET": Scope.READ.value}

    @schema.get_wallet
    def get(self, request: Request, wallet_id: int) -> Response:
        return Response(wallet_document(get_wallet(wallet_id, principal=caller_of(request))))


class WalletBalanceView(ApiView):
    """`wallets/{id}/balance`: what was posted up to an instant."""

    required_scope = {"GET": Scope.READ.value}

    @schema.get_wallet_balance
    def get(self, request: Request, wallet_id: int) -> Response:
        wallet = get_wallet(wallet_id, principal=caller_of(request))
        reader = FieldReader.of_query(request.query_params)
        wanted = reader.struct(BalanceQuery).at
        if wanted is not None and wanted > timezone.now():
            reader.refuse("at", "in_the_future", "Nobody knows the balance of a later instant.")
        reader.finish()
        at = settled_end(wanted)
        found = get_balance_at(wallet.id, at)
        return Response(
            {
                "wallet_id": wallet.id,
                "currency": wallet.currency,
                "at": at,
                "posted_balance": found.posted_balance,
                "version": found.version,
            }
        )


class WalletStatementView(ApiView):
    """`wallets/{id}/statement`: all that was booked in a span of time, streamed."""

    required_scope = {"GET": Scope.READ.value}

    @schema.get_wallet_statement
    def get(self, request: Request, wallet_id: int) -> StreamingHttpResponse:
        wallet = get_wallet(wallet_id, principal=caller_of(request))
        wanted = read_statement_request(request)
        sections = list_statement_sections(
            wallet.account_id, since=wanted.since, ledger_account_id=wallet.id
        )
        owner = {"wallet_id": wallet.id, "account_id": wallet.account_id}
        return statement_response(owner, sections, wanted)


def _read_account(reader: FieldReader, principal: Principal) -> int:
    """The account that is named, or the one that the caller is bound to."""
    if principal.account_id is None:
        return reader.row_id("account_id")
    named = reader.optional_row_id("account_id")
    return named or principal.account_id
