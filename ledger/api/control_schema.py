"""The trial balance in the OpenAPI document. The classes describe; nothing goes through."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from common.api.csv_answers import FormatQuery
from common.api.openapi import operation
from common.api.schema import amount_field, problems
from ledger.api.queries import TrialBalanceQuery
from ledger.types import AccountKind


class _Sums(serializers.Serializer):
    account_count = serializers.IntegerField(help_text="Accounts that were ever posted to.")
    debit = amount_field("Sum of the balances below zero; zero or negative.")
    credit = amount_field("Sum of the balances above zero.")
    net = amount_field("debit + credit")


class TrialBalanceLine(_Sums):
    kind = serializers.ChoiceField([str(kind) for kind in AccountKind])


class TrialBalanceAsset(_Sums):
    asset = serializers.CharField()
    is_balanced = serializers.BooleanField(help_text="Whether the net of all accounts is zero.")
    lines = TrialBalanceLine(many=True)


get_trial_balance = operation(
    tags=["money"],
    operation_id="trial_balance",
    summary="Get the trial balance of the ledger (the venue's admin key)",
    query=(TrialBalanceQuery, FormatQuery),
    responses={
        (200, "application/json"): inline_serializer(
            "TrialBalance",
            {
                "at": serializers.DateTimeField(allow_null=True),
                "is_balanced": serializers.BooleanField(),
                "assets": TrialBalanceAsset(many=True),
            },
        ),
        (200, "text/csv"): OpenApiTypes.STR,
        **problems(401, 403, 422, 503),
    },
)
