"""Listing assets and instruments: the rules of steps, and open listing by the first order."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.db import connection
from pytest_django import Settings

from common.errors import ValidationFailed
from marketdata.errors import AssetExists, InstrumentExists, UnknownAsset, UnknownSymbol
from marketdata.models import Asset, Instrument
from marketdata.services import create_asset, create_instrument, list_symbol
from marketdata.tests.factories import make_asset, make_instrument


@pytest.mark.django_db
def test_an_asset_is_created_once() -> None:
    asset = create_asset(code="USD", kind="FIAT", scale=4, name="US dollar")

    assert (asset.code, asset.kind, asset.scale, asset.name) == ("USD", "FIAT", 4, "US dollar")
    with pytest.raises(AssetExists) as refusal:
        create_asset(code="USD", kind="FIAT", scale=2)
    assert refusal.value.facts == {"asset": "USD"}
    assert Asset.objects.get(code="USD").scale == 4


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("code", "scale", "field", "error"),
    [
        ("usd", 4, "code", "invalid_symbol"),
        ("", 4, "code", "invalid_symbol"),
        ("A" * 21, 4, "code", "invalid_symbol"),
        ("A/B", 4, "code", "invalid_symbol"),
        (".A", 4, "code", "invalid_symbol"),
        ("A\0", 4, "code", "invalid_symbol"),
        ("ÄÖ", 4, "code", "invalid_symbol"),
        ("USD", 9, "scale", "out_of_range"),
        ("USD", -1, "scale", "out_of_range"),
    ],
)
def test_an_asset_with_a_wrong_code_or_scale_is_refused(
    code: str, scale: int, field: str, error: str
) -> None:
    with pytest.raises(ValidationFailed) as refusal:
        create_asset(code=code, kind="FIAT", scale=scale)

    assert [(one.field, one.code) for one in refusal.value.errors] == [(field, error)]
    assert not Asset.objects.exists()


@pytest.mark.django_db
def test_an_instrument_carries_its_steps_as_decimals_and_as_units() -> None:
    spec = make_instrument(
        "BTC-USDT",
        kind="SPOT",
        base="BTC",
        quote="USDT",
        lot_size=Decimal("0.0001"),
        price_rule="MAKER",
        taker_fee_rate=Decimal("0.0005"),
    )

    assert (spec.symbol, spec.kind, spec.price_rule, spec.state) == (
        "BTC-USDT",
        "SPOT",
        "MAKER",
        "CONTINUOUS",
    )
    assert (spec.base_asset, spec.base_scale, spec.quote_asset, spec.quote_scale) == (
        "BTC",
        8,
        "USDT",
        6,
    )
    assert (spec.tick_size, spec.lot_size) == (Decimal("0.01"), Decimal("0.0001"))
    assert (spec.tick_units8, spec.lot_units8) == (1_000_000, 10_000)
    assert spec.taker_fee_rate == Decimal("0.0005")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "broken"),
    [
        ({"tick_size": Decimal("0.00001")}, [("tick_size", "off_scale")]),
        ({"lot_size": Decimal("0.5")}, [("lot_size", "off_scale")]),
        ({"tick_size": Decimal(0)}, [("tick_size", "not_positive")]),
        ({"lot_size": Decimal("NaN")}, [("lot_size", "not_positive")]),
        ({"maker_fee_rate": Decimal("-0.001")}, [("maker_fee_rate", "rebate_too_large")]),
        ({"taker_fee_rate": Decimal(1)}, [("taker_fee_rate", "out_of_range")]),
        ({"price_band_rate": Decimal(2)}, [("price_band_rate", "out_of_range")]),
        ({"kind": "PERPETUAL"}, [("price_band_rate", "required")]),
        ({"lot_size": Decimal(10), "min_quantity": Decimal(5)}, [("min_quantity", "off_step")]),
        ({"max_notional": Decimal(0)}, [("max_notional", "not_positive")]),
        (
            {"min_quantity": Decimal(10), "max_quantity": Decimal(5)},
            [("max_quantity", "below_minimum")],
        ),
    ],
)
def test_an_instrument_that_would_round_or_contradict_itself_is_refused(
    fields: dict[str, object], broken: list[tuple[str, str]]
) -> None:
    with pytest.raises(ValidationFailed) as refusal:
        make_instrument("ACME", **fields)

    assert [(error.field, error.code) for error in refusal.value.errors] == broken
    assert not Instrument.objects.exists()


@pytest.mark.django_db
def test_an_instrument_needs_known_assets_and_a_free_symbol() -> None:
    make_instrument("ACME")

    with pytest.raises(InstrumentExists):
        make_instrument("ACME")
    with pytest.raises(UnknownAsset) as refusal:
        create_instrument(
            symbol="X-GBP",
            kind="EQUITY",
            base="ACME",
            quote="GBP",
            tick_size=Decimal("0.01"),
            lot_size=Decimal(1),
            price_rule="SELLER",
        )
    assert refusal.value.facts == {"asset": "GBP"}
    assert Instrument.objects.count() == 1


@pytest.mark.django_db
def test_the_first_order_lists_an_equity_in_the_currency_of_the_venue(
    settings: Settings,
) -> None:
    settings.ENGINE_SHARDS = 4

    spec = list_symbol("PETR4")

    assert (spec.kind, spec.base_asset, spec.base_scale) == ("EQUITY", "PETR4", 0)
    assert (spec.quote_asset, spec.quote_scale) == ("USD", 4)
    assert (spec.tick_size, spec.lot_size) == (Decimal("0.01"), Decimal(1))
    assert (spec.maker_fee_rate, spec.taker_fee_rate) == (Decimal(0), Decimal(0))
    assert (spec.price_band_rate, spec.market_collar_rate) == (None, None)
    assert (spec.price_rule, spec.state, spec.is_open_listing) == ("SELLER", "CONTINUOUS", True)
    assert spec.shard == 2  # crc32 of the symbol is 2,423,774,678: modulo 4
    assert list_symbol("PETR4") == spec


@pytest.mark.django_db
def test_open_listing_takes_no_currencies_and_no_nonsense() -> None:
    make_asset("EUR")

    with pytest.raises(UnknownSymbol):
        list_symbol("EUR")
    with pytest.raises(UnknownSymbol):
        list_symbol("USD")
    with pytest.raises(ValidationFailed):
        list_symbol("petr4")
    with pytest.raises(ValidationFailed):
        list_symbol("A\0B")
    assert not Instrument.objects.exists()


@pytest.mark.django_db
def test_open_listing_ends_at_its_limit_and_can_be_off(settings: Settings) -> None:
    settings.OPEN_LISTING_MAX = 1
    list_symbol("FIRST")

    with pytest.raises(UnknownSymbol):
        list_symbol("SECOND")
    settings.OPEN_LISTING_MAX = 10
    settings.OPEN_LISTING = False
    with pytest.raises(UnknownSymbol) as refusal:
        list_symbol("SECOND")

    assert (refusal.value.status, refusal.value.code) == (422, "unknown_symbol")
    assert refusal.value.facts == {"symbol": "SECOND"}
    assert list_symbol("FIRST").symbol == "FIRST"
    assert Instrument.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_twelve_first_orders_at_once_list_one_instrument() -> None:
    def list_it(_: int) -> int:
        try:
            return list_symbol("RACE").id
        finally:
            connection.close()

    with ThreadPoolExecutor(12) as pool:
        ids = set(pool.map(list_it, range(12)))

    assert ids == {Instrument.objects.get(symbol="RACE").id}
    assert Asset.objects.filter(code="RACE").count() == 1
