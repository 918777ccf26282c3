"""Deposits and withdrawals under `/api/v1/`: asked for here, approved by staff."""

from collections.abc import Callable
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from brokers.api.callers import caller_of
from brokers.api.permissions import check_account_visible, check_named_account
from brokers.models import Scope
from common.api.fields import FieldReader
from common.api.idempotency import idempotent
from common.api.pagination import fetch_page, read_page_request
from common.api.views import ApiView
from common.limits import LINE_LENGTH_MAX
from ledger.api import money_schema as schema
from ledger.api.money_documents import request_document
from ledger.api.queries import RequestsQuery
from ledger.models import MoneyRequest
from ledger.selectors import get_request, list_requests
from ledger.selectors.wallets import get_wallet
from ledger.services import cancel_request, request_deposit, request_withdrawal

_DEPOSIT = MoneyRequest.Kind.DEPOSIT.value
_WITHDRAWAL = MoneyRequest.Kind.WITHDRAWAL.value
_SCOPES = {"GET": Scope.READ.value, "POST": Scope.TRANSFER.value}


class DepositsView(ApiView):
    """`deposits`: list them, ask for one."""

    required_scope = _SCOPES

    @schema.list_deposits
    def get(self, request: Request) -> Response:
        return _list(request, _DEPOSIT)

    @schema.request_deposit
    @idempotent
    def post(self, request: Request) -> Response:
        return _ask(request, request_deposit)


class DepositView(ApiView):
    """`deposits/{id}`."""

    required_scope = {"GET": Scope.READ.value}

    @schema.get_deposit
    def get(self, request: Request, request_id: UUID) -> Response:
        return Response(request_document(_own_request(request, request_id, _DEPOSIT)))


class CancelDepositView(ApiView):
    """`deposits/{id}/cancel`."""

    required_scope = {"POST": Scope.TRANSFER.value}
    allowed_while_suspended = True

    @schema.cancel_deposit
    @idempotent
    def post(self, request: Request, request_id: UUID) -> Response:
        return _cancel(request, request_id, _DEPOSIT)


class WithdrawalsView(ApiView):
    """`withdrawals`: list them, ask for one, which holds its amount."""

    required_scope = _SCOPES

    @schema.list_withdrawals
    def get(self, request: Request) -> Response:
        return _list(request, _WITHDRAWAL)

    @schema.request_withdrawal
    @idempotent
    def post(self, request: Request) -> Response:
        return _ask(request, request_withdrawal)


class WithdrawalView(ApiView):
    """`withdrawals/{id}`."""

    required_scope = {"GET": Scope.READ.value}

    @schema.get_withdrawal
    def get(self, request: Request, request_id: UUID) -> Response:
        return Response(request_document(_own_request(request, request_id, _WITHDRAWAL)))


class CancelWithdrawalView(ApiView):
    """`withdrawals/{id}/cancel`: frees what is held."""

    required_scope = {"POST": Scope.TRANSFER.value}
    allowed_while_suspended = True

    @schema.cancel_withdrawal
    @idempotent
    def post(self, request: Request, request_id: UUID) -> Response:
        return _cancel(request, request_id, _WITHDRAWAL)


def _list(request: Request, kind: str) -> Response:
    principal = caller_of(request)
    reader = FieldReader.of_query(request.query_params)
    filters = reader.struct(RequestsQuery)
    wanted = read_page_request(reader, UUID)
    reader.finish()
    check_named_account(principal, filters.account_id)
    if filters.wallet_id is not None:
        get_wallet(filters.wallet_id, principal=principal)
    requests = list_requests(
        kind=kind,
        broker_id=principal.own_broker_id,
        account_id=principal.account_id or filters.account_id,
        wallet_id=filters.wallet_id,
        status=filters.status,
    )
    return Response(fetch_page(requests, wanted).document(request, request_document))


def _ask(request: Request, ask: Callable[..., MoneyRequest]) -> Response:
    principal = caller_of(request)
    reader = FieldReader.of_body(request.data)
    wallet_id = reader.row_id("wallet_id")
    amount = reader.decimal("amount")
    reason = reader.text("reason", max_length=LINE_LENGTH_MAX)
    reader.finish()
    get_wallet(wallet_id, principal=principal)
    made = ask(
        wallet_id=wallet_id,
        amount=amount,
        reason=reason,
        actor=principal.actor,
        user_id=principal.user_id,
    )
    return Response(request_document(made), status=201)


def _cancel(request: Request, request_id: UUID, kind: str) -> Response:
    _own_request(request, request_id, kind)
    canceled = cancel_request(request_id=request_id, actor=caller_of(request).actor)
    return Response(request_document(canceled))


def _own_request(request: Request, request_id: UUID, kind: str) -> MoneyRequest:
    """A request on a wallet of the caller's.

    Raises:
        RequestNotFound, OtherAccount: there is none, or it is somebody else's.
    """
    found = get_request(request_id, kinds=[kind])
    wallet = found.ledger_account
    assert wallet is not None and wallet.trading_account is not None
    account = wallet.trading_account
    check_account_visible(caller_of(request), broker_id=account.broker_id, account_id=account.id)
    return found
