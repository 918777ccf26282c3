"""Instruments in the OpenAPI document. The classes describe; no request goes through them."""

from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from common.api.openapi import operation
from common.api.pagination import PageQuery
from common.api.schema import amount_field, page_of, problems
from marketdata.api.queries import CandlesQuery, InstrumentsQuery
from marketdata.models import Candle, Instrument

_TAGS = ["market data"]


class InstrumentDocument(serializers.Serializer):
    symbol = serializers.CharField()
    name = serializers.CharField()
    price_symbol = serializers.CharField(
        allow_null=True, help_text="What price services call it, where that is not the symbol."
    )
    kind = serializers.ChoiceField(Instrument.Kind.choices)
    state = serializers.ChoiceField(Instrument.State.choices)
    base_asset = serializers.CharField(help_text="What is traded; quantities count it.")
    quote_asset = serializers.CharField(help_text="What it is paid in; prices count it.")
    base_scale = serializers.IntegerField(help_text="Decimal places of the base asset.")
    quote_scale = serializers.IntegerField(help_text="Decimal places of the quote asset.")
    tick_size = amount_field("A price is a whole number of these.")
    lot_size = amount_field("A quantity is a whole number of these.")
    min_quantity = amount_field(allow_null=True)
    max_quantity = amount_field(allow_null=True)
    min_notional = amount_field("Of price × quantity.", allow_null=True)
    max_notional = amount_field("Of price × quantity.", allow_null=True)
    price_band_rate = amount_field(
        "A limit price further than this share from the last price (of a perpetual: its mark) is "
        "refused.",
        allow_null=True,
    )
    market_collar_rate = amount_field(
        "A market order trades no further than this share from the best price.", allow_null=True
    )
    initial_margin_rate = amount_field("Of a perpetual: needed to open.", allow_null=True)
    maintenance_margin_rate = amount_field("Of a perpetual: needed to stay open.", allow_null=True)
    mark_jump_limit_rate = amount_field(
        "A mark that jumps further must be forced.", allow_null=True
    )
    mark_stale_seconds = serializers.IntegerField(
        help_text="An older mark lets nobody take on more risk.", allow_null=True
    )
    max_position = amount_field("The largest position of an account.", allow_null=True)
    liquidation_fee_rate = amount_field("Of what is closed by force.", allow_null=True)
    liquidation_buffer_rate = amount_field(
        "A liquidation in parts ends this share above the maintenance margin.", allow_null=True
    )
    funding_interval_seconds = serializers.IntegerField(
        help_text="How often longs and shorts pay each other.", allow_null=True
    )
    funding_interest_rate = amount_field("What an interval costs at the index.", allow_null=True)
    funding_cap_rate = amount_field("The largest rate of an interval, either way.", allow_null=True)
    maker_fee_rate = amount_field("Below zero: the maker is paid.")
    taker_fee_rate = amount_field()
    price_rule = serializers.ChoiceField(Instrument.PriceRule.choices)
    is_open_listing = serializers.BooleanField(help_text="Listed by its first order.")


class CandleDocument(serializers.Serializer):
    opened_at = serializers.DateTimeField(help_text="Its beginning; days begin at midnight UTC.")
    open = amount_field("Price of the first trade.")
    high = amount_field()
    low = amount_field()
    close = amount_field("Price of the last trade.")
    volume = amount_field("Of the base asset.")
    amount = amount_field("Sum of price × quantity, in the quote asset.")
    trade_count = serializers.IntegerField()


class CandlesDocument(serializers.Serializer):
    symbol = serializers.CharField()
    interval = serializers.ChoiceField(Candle.Interval.choices)
    candles = CandleDocument(many=True)


class PriceDocument(serializers.Serializer):
    symbol = serializers.CharField()
    price = amount_field("Of one unit, in whole ticks.")
    bid = amount_field("What the venue's dealer pays for one unit.")
    ask = amount_field("What the venue's dealer sells one unit for.")
    currency = serializers.CharField()
    source = serializers.CharField(  # type: ignore[assignment]
        help_text="The price service that told it; `mark` is the mark price of a perpetual."
    )
    as_of = serializers.DateTimeField(help_text="The market's own time of the price.")
    age_seconds = serializers.IntegerField(
        help_text="Since the price service told it, or of a mark price since `as_of`."
    )
    cached = serializers.BooleanField(help_text="Nobody was asked for this answer.")
    simulated = serializers.BooleanField(help_text="Made up, of no real market.")
    stale = serializers.BooleanField(help_text="Too old: nobody may deal on it.")


list_instruments = operation(
    operation_id="instruments_list",
    tags=_TAGS,
    summary="List instruments",
    query=(InstrumentsQuery, PageQuery),
    responses={200: page_of(InstrumentDocument), **problems(401, 403, 422)},
)
get_instrument = operation(
    operation_id="instruments_get",
    tags=_TAGS,
    summary="Get an instrument with its limits",
    responses={200: InstrumentDocument, **problems(401, 403, 404)},
)
list_candles = operation(
    operation_id="instruments_candles",
    tags=_TAGS,
    summary="List candles of the trades on the book",
    description="Oldest first; the newest may still change. An interval without trades has no "
    "candle, unless `fill` is true.",
    query=(CandlesQuery,),
    responses={200: CandlesDocument, **problems(401, 403, 404, 422)},
)
get_price = operation(
    operation_id="price_get",
    tags=_TAGS,
    summary="Get the market price of a share, a crypto currency or a perpetual",
    description="From price services, remembered for three minutes; of a perpetual its mark price. "
    "A ticker that is not listed, but known to a price service, is listed where open listing is "
    "on.",
    responses={200: PriceDocument, **problems(401, 403, 404, 422, 429, 503)},
)
get_time = operation(
    tags=_TAGS,
    operation_id="time_retrieve",
    summary="Get the venue's clock",
    auth=[],
    responses={
        200: inline_serializer(
            "VenueTime",
            {
                "time": serializers.DateTimeField(),
                "epoch_milliseconds": serializers.IntegerField(),
            },
        ),
        **problems(),
    },
)
