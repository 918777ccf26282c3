"""The venue's own reports under `/api/v1/`: the trial balance."""

from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from brokers.api.permissions import VENUE_ADMIN
from common.api.csv_answers import read_is_csv
from common.api.fields import FieldReader
from common.api.views import ApiView
from ledger.api import control_schema as schema
from ledger.api.queries import TrialBalanceQuery
from ledger.reports import trial_balance_csv
from ledger.selectors import AssetBalance, BalanceSum, get_trial_balance
from ledger.selectors.settled import settled_end


class TrialBalanceView(ApiView):
    """`trial-balance`: what all accounts have, by asset and kind; as of now or of an instant."""

    required_scope = VENUE_ADMIN

    @schema.get_trial_balance
    def get(self, request: Request) -> Response | HttpResponse:
        reader = FieldReader.of_query(request.query_params)
        wanted, is_csv = reader.struct(TrialBalanceQuery), read_is_csv(reader)
        reader.finish()
        at = None if wanted.at is None else settled_end(wanted.at)
        balances = get_trial_balance(asset=wanted.asset, at=at)
        if is_csv:
            return HttpResponse(
                trial_balance_csv(balances),
                content_type="text/csv; charset=utf-8",
                headers={"Content-Disposition": 'attachment; filename="trial-balance.csv"'},
            )
        return Response(
            {
                "at": at,
                "is_balanced": all(balance.is_balanced for balance in balances),
                "assets": [_asset_document(balance) for balance in balances],
            }
        )


def _asset_document(balance: AssetBalance) -> dict[str, Any]:
    return {
        "asset": balance.asset,
        "is_balanced": balance.is_balanced,
        **_sums(balance.total),
        "lines": [{"kind": line.kind, **_sums(line)} for line in balance.lines],
    }


def _sums(line: BalanceSum) -> dict[str, Any]:
    return {
        "account_count": line.account_count,
        "debit": line.debit,
        "credit": line.credit,
        "net": line.net,
    }
