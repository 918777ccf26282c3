"""Positions, collateral and the margin report in the OpenAPI document. The classes describe."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from common.api.csv_answers import FormatQuery
from common.api.openapi import operation
from common.api.schema import IDEMPOTENCY_KEY, amount_field, problems
from margin.api.queries import ReportQuery
from margin.selectors.report import RiskLevel

TAGS = ["margin"]
RISK_LEVELS = [(level.value, level.value.capitalize()) for level in RiskLevel]


class CollateralDocument(serializers.Serializer):
    asset = serializers.CharField(help_text="A quote asset of perpetuals.")
    collateral = amount_field()
    unrealized_pnl = amount_field("Of all positions in the asset, at their marks.")
    equity = amount_field("Collateral + unrealized profit.")
    initial_margin = amount_field("Of positions and open orders, on the worse side.")
    maintenance_margin = amount_field("With less equity the account is liquidated.")
    loss_reserve = amount_field("What open orders would lose at once.")
    free_collateral = amount_field("What may be moved out.")
    utilization = amount_field("Initial margin / equity; null: no equity.", allow_null=True)
    margin_ratio = amount_field("Maintenance margin / equity; null: no equity.", allow_null=True)
    is_bankrupt = serializers.BooleanField()
    should_be_liquidated = serializers.BooleanField()
    risk_level = serializers.ChoiceField(RISK_LEVELS)
    is_frozen = serializers.BooleanField(help_text="No orders, nothing moves out.")


class PerpetualPosition(serializers.Serializer):
    symbol = serializers.CharField()
    asset = serializers.CharField(help_text="The quote asset, in which all money is counted.")
    quantity = amount_field("Positive is long.")
    entry_price = amount_field("Null: there are orders only.", allow_null=True)
    mark_price = amount_field()
    notional = amount_field("|quantity| × mark price.")
    cost_basis = amount_field()
    unrealized_pnl = amount_field()
    realized_pnl = amount_field("Of all fills so far, before fees.")
    initial_margin = amount_field()
    maintenance_margin = amount_field()
    liquidation_price = amount_field("If no other mark moves.", allow_null=True)
    bankruptcy_price = amount_field(allow_null=True)
    open_buy = amount_field("Quantity of open buy orders.")
    open_sell = amount_field("Quantity of open sell orders.")
    loss_reserve = amount_field()


class MarginAccountDocument(serializers.Serializer):
    account_id = serializers.IntegerField()
    accounts = CollateralDocument(many=True)


class PositionsDocument(MarginAccountDocument):
    positions = PerpetualPosition(many=True)


class MovedCollateral(MarginAccountDocument):
    entry_id = serializers.UUIDField()


class FrozenDocument(serializers.Serializer):
    account_id = serializers.IntegerField()
    asset = serializers.CharField()
    is_frozen = serializers.BooleanField()
    reason = serializers.CharField(help_text="Why it is frozen; empty where it is not.")
    updated_at = serializers.DateTimeField()


class MarginReportLine(CollateralDocument):
    account_id = serializers.IntegerField()
    document_number = serializers.CharField()
    broker = serializers.CharField()
    position_count = serializers.IntegerField()
    symbol = serializers.CharField(help_text="Where there is one position.", allow_null=True)
    liquidation_price = amount_field("Where there is one position.", allow_null=True)


class MarginReportDocument(serializers.Serializer):
    page = serializers.IntegerField()
    page_count = serializers.IntegerField()
    account_count = serializers.IntegerField()
    at_risk_count = serializers.IntegerField()
    liquidation_count = serializers.IntegerField(help_text="Who should be liquidated.")
    bankrupt_count = serializers.IntegerField()
    results = MarginReportLine(many=True)


get_positions = operation(
    tags=TAGS,
    operation_id="positions_get",
    summary="Get an account's positions in perpetuals",
    responses={200: PositionsDocument, **problems(401, 403, 404)},
)
get_margin_account = operation(
    tags=TAGS,
    operation_id="margin_accounts_get",
    summary="Get what an account's collateral carries",
    responses={200: MarginAccountDocument, **problems(401, 403, 404)},
)
move_collateral = operation(
    tags=TAGS,
    operation_id="margin_accounts_move_collateral",
    summary="Move collateral in from cash, or out what is free",
    parameters=[IDEMPOTENCY_KEY],
    request=inline_serializer(
        "MoveCollateral",
        {
            "asset": serializers.CharField(),
            "amount": amount_field("More than zero."),
            "direction": serializers.ChoiceField([("IN", "In"), ("OUT", "Out")]),
        },
    ),
    responses={201: MovedCollateral, **problems(400, 401, 403, 404, 409, 422, 503)},
)
_FREEZE = inline_serializer(
    "FreezeMarginAccount",
    {"asset": serializers.CharField(), "reason": serializers.CharField(max_length=200)},
)
freeze_margin_account = operation(
    tags=TAGS,
    operation_id="margin_accounts_freeze",
    summary="Freeze a collateral: no orders, nothing moves out (the venue's own key)",
    parameters=[IDEMPOTENCY_KEY],
    request=_FREEZE,
    responses={200: FrozenDocument, **problems(400, 401, 403, 404, 409, 422, 503)},
)
unfreeze_margin_account = operation(
    tags=TAGS,
    operation_id="margin_accounts_unfreeze",
    summary="Un-freeze a collateral (the venue's own key)",
    parameters=[IDEMPOTENCY_KEY],
    request=_FREEZE,
    responses={200: FrozenDocument, **problems(400, 401, 403, 404, 409, 422, 503)},
)
get_margin_report = operation(
    tags=TAGS,
    operation_id="margin_report_get",
    summary="List accounts by how near they are to liquidation",
    query=(ReportQuery, FormatQuery),
    responses={
        (200, "application/json"): MarginReportDocument,
        (200, "text/csv"): OpenApiTypes.STR,
        **problems(401, 403, 404, 422),
    },
)
