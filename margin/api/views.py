"""Positions, collateral and the margin report under `/api/v1/`: parse, permit, call, answer."""

from http import HTTPStatus
from typing import Any

from django.http import StreamingHttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from brokers.api.callers import caller_of
from brokers.api.permissions import READER_OR_VENUE, VENUE_ADMIN, check_named_account
from brokers.models import Scope
from common.api.csv_answers import csv_answer, document_csv, read_is_csv
from common.api.fields import FieldReader
from common.api.idempotency import idempotent
from common.api.views import ApiView
from common.ids import new_uuid
from common.limits import LINE_LENGTH_MAX
from common.money import to_units8
from ledger.selectors import list_balances
from ledger.types import AccountKind
from margin.api import schema
from margin.api.documents import (
    REPORT_COLUMNS,
    freeze_document,
    position_document,
    report_document,
    report_line,
    state_document,
)
from margin.api.queries import ReportQuery
from margin.calculations import margin_state
from margin.models import MarginAccount
from margin.selectors.accounts import list_positions
from margin.selectors.report import (
    ReportFilter,
    find_account_margins,
    get_margin_report,
    stream_margin_report,
)
from margin.services.collateral import move_collateral
from margin.services.freezing import (
    freeze_margin_account,
    unfreeze_margin_account,
)


class PositionsView(ApiView):
    """`positions/{account_id}`: an account's perpetuals, and what carries them."""

    required_scope = Scope.READ.value

    @schema.get_positions
    def get(self, request: Request, account_id: int) -> Response:
        check_named_account(caller_of(request), account_id)
        margins = {one.asset: one for one in find_account_margins(account_id)}
        positions = [
            position_document(position, margins[position.asset])
            for position in list_positions(account_id)
            if position.asset in margins
        ]
        return Response({**_account_document(account_id), "positions": positions})


class MarginAccountView(ApiView):
    """`margin/accounts/{id}`: what an account's collateral carries, by quote asset."""

    required_scope = Scope.READ.value

    @schema.get_margin_account
    def get(self, request: Request, account_id: int) -> Response:
        check_named_account(caller_of(request), account_id)
        return Response(_account_document(account_id))


class CollateralView(ApiView):
    """`margin/accounts/{id}/collateral`: move it in from cash, or out what is free."""

    required_scope = Scope.TRANSFER.value

    @schema.move_collateral
    @idempotent
    def post(self, request: Request, account_id: int) -> Response:
        check_named_account(caller_of(request), account_id)
        reader = FieldReader.of_body(request.data)
        asset = reader.symbol("asset")
        amount = reader.decimal("amount")
        direction = reader.choice("direction", ("IN", "OUT"), any_case=True)
        if amount <= 0:
            reader.refuse("amount", "not_positive", "amount must be more than zero")
        reader.finish()
        entry = move_collateral(
            account_id=account_id,
            asset=asset,
            amount=amount if direction == "IN" else -amount,
            source_id=new_uuid(),
            actor=caller_of(request).actor,
        )
        document = {"entry_id": entry.id, **_account_document(account_id)}
        return Response(document, status=HTTPStatus.CREATED)


class FreezeView(ApiView):
    """`margin/accounts/{id}/freeze`: the venue's own key lets an account do nothing any more."""

    required_scope = {"POST": VENUE_ADMIN}

    @schema.freeze_margin_account
    @idempotent
    def post(self, request: Request, account_id: int) -> Response:
        changed = freeze_margin_account(account_id=account_id, **_read_freeze(request))
        return Response(freeze_document(changed))


class UnfreezeView(ApiView):
    """`margin/accounts/{id}/unfreeze`: and lets it trade again."""

    required_scope = {"POST": VENUE_ADMIN}

    @schema.unfreeze_margin_account
    @idempotent
    def post(self, request: Request, account_id: int) -> Response:
        changed = unfreeze_margin_account(account_id=account_id, **_read_freeze(request))
        return Response(freeze_document(changed))


class MarginReportView(ApiView):
    """`margin-report`: who is how near to liquidation; all accounts for the venue's own key."""

    required_scope = READER_OR_VENUE

    @schema.get_margin_report
    def get(self, request: Request) -> Response | StreamingHttpResponse:
        caller = caller_of(request)
        reader = FieldReader.of_query(request.query_params)
        query, is_csv = reader.struct(ReportQuery), read_is_csv(reader)
        reader.finish()
        filters = ReportFilter(
            asset=query.asset or "",
            broker_id=caller.broker_id,
            account_id=query.account_id or caller.account_id,
            search=query.search or "",
            is_at_risk=query.at_risk,
        )
        check_named_account(caller, filters.account_id)
        is_descending = query.order == "desc"
        if is_csv:
            lines = stream_margin_report(
                filters=filters, sort=query.sort, is_descending=is_descending
            )
            return csv_answer(
                document_csv(REPORT_COLUMNS, map(report_line, lines)), "margin-report"
            )
        report = get_margin_report(
            filters=filters,
            sort=query.sort,
            is_descending=is_descending,
            page=query.page,
            page_size=query.page_size,
        )
        return Response(report_document(report))


def _read_freeze(request: Request) -> dict[str, str]:
    """Asset, reason and who asks."""
    reader = FieldReader.of_body(request.data)
    asset = reader.symbol("asset")
    reason = reader.text("reason", max_length=LINE_LENGTH_MAX)
    reader.finish()
    return {"asset": asset, "reason": reason, "actor": caller_of(request).actor}


def _account_document(account_id: int) -> dict[str, Any]:
    """All collateral of an account, also what carries nothing."""
    frozen = set(
        MarginAccount.objects.filter(account_id=account_id, is_frozen=True).values_list(
            "asset__code", flat=True
        )
    )
    states = {one.asset: one.state for one in find_account_margins(account_id)}
    for balance in list_balances(account_id):
        if balance.kind == AccountKind.MARGIN and balance.asset not in states:
            collateral = to_units8(balance.posted_balance)
            states[balance.asset] = margin_state(collateral, [])
    return {
        "account_id": account_id,
        "accounts": [
            state_document(asset, states[asset], is_frozen=asset in frozen)
            for asset in sorted(states)
        ],
    }
