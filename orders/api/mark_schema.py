"""Mark prices in the OpenAPI document. The classes describe; nothing goes through them."""

from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers

from common.api.schema import amount_field, problems
from marketdata.models import MarkPrice


class MarkDocument(serializers.Serializer):
    symbol = serializers.CharField()
    price = amount_field()
    source = serializers.ChoiceField(MarkPrice.Source.choices)  # type: ignore[assignment]
    as_of = serializers.DateTimeField(help_text="Of when the price is.")
    posted_at = serializers.DateTimeField(help_text="Since when it holds.")
    age_seconds = serializers.IntegerField()
    is_stale = serializers.BooleanField(help_text="Nobody takes on more risk until the next one.")


post_mark = extend_schema(
    tags=["margin"],
    operation_id="mark_price_post",
    summary="Set the mark price of a perpetual",
    request=inline_serializer(
        "PostMark",
        {
            "symbol": serializers.CharField(),
            "price": amount_field("In whole ticks."),
            "force": serializers.BooleanField(
                required=False, help_text="Also where it jumps beyond the instrument's limit."
            ),
        },
    ),
    responses={200: MarkDocument, **problems(400, 401, 403, 404, 422, 503, 504)},
)
get_mark = extend_schema(
    tags=["margin"],
    operation_id="instruments_mark_get",
    summary="Get the mark price of a perpetual",
    responses={200: MarkDocument, **problems(401, 403, 404)},
)
