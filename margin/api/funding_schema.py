"""Rates and payments of funding in the OpenAPI document. The classes describe."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from common.api.csv_answers import FormatQuery
from common.api.openapi import operation
from common.api.pagination import PageQuery
from common.api.schema import amount_field, page_of, problems
from margin.api.queries import FundingsQuery, PaymentsQuery, PeriodQuery
from margin.api.schema import TAGS


class FundingDocument(serializers.Serializer):
    id = serializers.UUIDField()
    symbol = serializers.CharField()
    due_at = serializers.DateTimeField(help_text="The end of the interval.")
    rate = amount_field("Positive: longs pay shorts.")
    sample_count = serializers.IntegerField()
    mark_price = amount_field("At which positions were valued.")
    paid = amount_field("By all who pay.")
    received = amount_field("By all who get.")
    remainder = amount_field("What rounding leaves: the insurance fund's.")
    fixed_at = serializers.DateTimeField()
    booked_at = serializers.DateTimeField(allow_null=True)


class PremiumSampleDocument(serializers.Serializer):
    at = serializers.DateTimeField(help_text="The minute, at its begin.")
    premium_rate = amount_field("How far the impact prices are from the index.")
    impact_bid = amount_field("What a minimum notional of the bids costs on average.")
    impact_ask = amount_field("What a minimum notional of the asks costs on average.")
    index_price = amount_field()


class PredictedFunding(serializers.Serializer):
    since = serializers.DateTimeField()
    due_at = serializers.DateTimeField()
    rate = amount_field("If no further sample came.")
    sample_count = serializers.IntegerField()
    samples = PremiumSampleDocument(many=True)


class FundingPaymentDocument(serializers.Serializer):
    id = serializers.IntegerField()
    funding_id = serializers.UUIDField()
    account_id = serializers.IntegerField()
    symbol = serializers.CharField()
    asset = serializers.CharField(help_text="The quote asset, in which is paid.")
    due_at = serializers.DateTimeField(help_text="The end of the interval.")
    rate = amount_field("Positive: longs pay shorts.")
    mark_price = amount_field()
    quantity = amount_field("Of the position: positive is long.")
    amount = amount_field("Negative: paid.")
    entry_id = serializers.UUIDField(help_text="The journal entry that books it.")
    booked_at = serializers.DateTimeField(allow_null=True)


list_fundings = operation(
    tags=TAGS,
    operation_id="fundings_list",
    summary="List the fundings of all perpetuals, newest first",
    query=(FundingsQuery, FormatQuery, PageQuery),
    responses={
        (200, "application/json"): page_of(FundingDocument),
        (200, "text/csv"): OpenApiTypes.STR,
        **problems(401, 403, 404, 422),
    },
)
list_funding_rates = operation(
    tags=TAGS,
    operation_id="funding_rates_list",
    summary="List a perpetual's funding rates, newest first",
    query=(PeriodQuery, PageQuery),
    responses={
        200: inline_serializer(
            "FundingRates",
            {
                "symbol": serializers.CharField(),
                "predicted": PredictedFunding(
                    allow_null=True, help_text="The running interval; null but on the first page."
                ),
                "next": serializers.URLField(allow_null=True),
                "previous": serializers.URLField(allow_null=True),
                "results": FundingDocument(many=True),
            },
        ),
        **problems(401, 403, 404, 422),
    },
)
list_funding_payments = operation(
    tags=TAGS,
    operation_id="funding_payments_list",
    summary="List what positions paid and got by funding, newest first",
    query=(PaymentsQuery, FormatQuery, PageQuery),
    responses={
        (200, "application/json"): page_of(FundingPaymentDocument),
        (200, "text/csv"): OpenApiTypes.STR,
        **problems(401, 403, 404, 422),
    },
)
