"""The trial balance in the OpenAPI document. The classes describe; nothing goes through."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers

from common.api.schema import amount_field, problems
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


get_trial_balance = extend_schema(
    tags=["money"],
    operation_id="trial_balance",
    summary="Get the trial balance of the ledger (the venue's admin key)",
    parameters=[
        OpenApiParameter("asset", OpenApiTypes.STR, description="Only of this asset."),
        OpenApiParameter(
            "at",
            OpenApiTypes.DATETIME,
            description="As of this instant (exclusive), summed from every posting before it, "
            "which may take long; now by itself.",
        ),
        OpenApiParameter("format", enum=["json", "csv"], default="json"),
    ],
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
