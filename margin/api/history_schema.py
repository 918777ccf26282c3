"""Liquidations and margin calls in the OpenAPI document. The classes describe."""

from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers

from common.api.csv_answers import FormatQuery
from common.api.openapi import operation
from common.api.pagination import PageQuery
from common.api.schema import amount_field, page_of, problems
from margin.api.queries import LiquidationsQuery, MarginCallsQuery
from margin.api.schema import TAGS
from margin.models import Liquidation, LiquidationStep


class _OfAccount(serializers.Serializer):
    account_id = serializers.IntegerField()
    document_number = serializers.CharField()
    broker = serializers.CharField()
    asset = serializers.CharField(help_text="The quote asset, in which all money is counted.")


class LiquidationSummary(_OfAccount):
    id = serializers.UUIDField()
    outcome = serializers.ChoiceField(Liquidation.Outcome.choices)
    collateral_before = amount_field()
    collateral_after = amount_field()
    equity_before = amount_field()
    equity_after = amount_field("Never below zero.")
    maintenance_margin_before = amount_field()
    maintenance_margin_after = amount_field()
    fee = amount_field("What the insurance fund got out of what was left.")
    fund_result = amount_field("What the fund won or lost, at the marks.")
    bad_debt = amount_field("Loss beyond zero that nobody else could bear.")
    executed_at = serializers.DateTimeField()


class LiquidationStepDocument(serializers.Serializer):
    number = serializers.IntegerField()
    kind = serializers.ChoiceField(LiquidationStep.Kind.choices)
    symbol = serializers.CharField(allow_null=True)
    quantity = amount_field(
        "What was closed (positive: bought), or orders canceled.", allow_null=True
    )
    price = amount_field("The mean price of what was closed.", allow_null=True)
    mark_price = amount_field(allow_null=True)
    amount = amount_field("Fee or bad debt.")
    order_id = serializers.UUIDField(allow_null=True, help_text="With which it was closed.")
    equity_before = amount_field()
    equity_after = amount_field()
    maintenance_margin_before = amount_field()
    maintenance_margin_after = amount_field()


class LiquidationDocument(LiquidationSummary):
    steps = LiquidationStepDocument(many=True)


class MarginCallDocument(_OfAccount):
    id = serializers.IntegerField()
    level = amount_field("The margin ratio that was reached.")
    equity = amount_field("When it was raised.")
    maintenance_margin = amount_field("When it was raised.")
    raised_at = serializers.DateTimeField()
    resolved_at = serializers.DateTimeField(allow_null=True)
    is_open = serializers.BooleanField()


list_liquidations = operation(
    tags=TAGS,
    operation_id="liquidations_list",
    summary="List liquidations, newest first",
    query=(LiquidationsQuery, FormatQuery, PageQuery),
    responses={
        (200, "application/json"): page_of(LiquidationSummary),
        (200, "text/csv"): OpenApiTypes.STR,
        **problems(401, 403, 404, 422),
    },
)
get_liquidation = operation(
    tags=TAGS,
    operation_id="liquidations_get",
    summary="Get a liquidation with its steps",
    responses={200: LiquidationDocument, **problems(401, 403, 404)},
)
list_margin_calls = operation(
    tags=TAGS,
    operation_id="margin_calls_list",
    summary="List margin calls, newest first",
    query=(MarginCallsQuery, FormatQuery, PageQuery),
    responses={
        (200, "application/json"): page_of(MarginCallDocument),
        (200, "text/csv"): OpenApiTypes.STR,
        **problems(401, 403, 404, 422),
    },
)
