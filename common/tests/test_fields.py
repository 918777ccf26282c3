"""Values of requests: what is taken, what is refused, and with which code."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.api.fields import FieldReader
from common.api.parsers import UnreadableNumber
from common.errors import ValidationFailed, shown_errors
from common.money import plain

_FIVE_CENTS = Decimal("0.05")
_ID = "019c5e1a-7b2c-7d3e-8f40-a1b2c3d4e5f6"
Read = Callable[[FieldReader], Any]


def _codes(values: dict[str, Any], read: Read, **options: Any) -> list[tuple[str, str]]:
    reader = FieldReader(values, **options)
    read(reader)
    with pytest.raises(ValidationFailed) as raised:
        reader.finish()
    assert raised.value.status == 422
    return [(error.field, error.code) for error in raised.value.errors]


def _value(value: Any, read: Read) -> Any:
    reader = FieldReader({"x": value})
    result = read(reader)
    reader.finish()
    return result


# --- decimals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_value", "text"),
    [
        ("1.5", "1.5"),
        ("0.00000001", "0.00000001"),
        ("1.50000000000000", "1.5"),
        (7, "7"),
        (Decimal("7.25"), "7.25"),
        ("-3", "-3"),
        ("-0.0", "0"),
        (Decimal("-0"), "0"),
        ("9" * 30, "9" * 30),
        ("0007", "7"),
        ("1e5", "100000"),
        ("1e-05", "0.00001"),
        ("1.50E-7", "0.00000015"),
        ("-2E+2", "-200"),
        (Decimal("0.00001"), "0.00001"),
    ],
)
def test_decimals_are_taken_as_they_are(given_value: Any, text: str) -> None:
    number = _value(given_value, lambda reader: reader.decimal("x"))
    assert type(number) is Decimal
    assert plain(number) == text


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (True, "invalid_type"),
        ([], "invalid_type"),
        ({}, "invalid_type"),
        (1.5, "invalid_type"),
        ("", "not_a_number"),
        (" 1", "not_a_number"),
        ("1 ", "not_a_number"),
        ("+1", "not_a_number"),
        ("1.", "not_a_number"),
        (".5", "not_a_number"),
        ("1,5", "not_a_number"),
        ("1_000", "not_a_number"),
        ("1e", "not_a_number"),
        ("e5", "not_a_number"),
        ("1e5.0", "not_a_number"),
        ("1e 5", "not_a_number"),
        ("1e٣", "not_a_number"),
        ("1e999999999", "not_a_number"),
        ("-1e-999999999", "not_a_number"),
        ("1e" + "9" * 60, "not_a_number"),
        ("1e30", "too_many_digits"),
        ("1e-9", "too_many_decimals"),
        ("NaN", "not_a_number"),
        ("Infinity", "not_a_number"),
        ("٣", "not_a_number"),
        ("1\n", "not_a_number"),
        (UnreadableNumber("1e999999999"), "not_a_number"),
        (UnreadableNumber("1" * 65), "too_many_digits"),
        ("1" * 65, "too_many_digits"),
        ("1" + "0" * 30, "too_many_digits"),
        (10**30, "too_many_digits"),
        (10**4299, "too_many_digits"),
        (-(10**30), "too_many_digits"),
        ("0.000000001", "too_many_decimals"),
        (Decimal("1.123456789"), "too_many_decimals"),
        (None, "required"),
    ],
)
def test_decimals_are_never_rounded_or_guessed(value: Any, code: str) -> None:
    assert _codes({"x": value}, lambda reader: reader.decimal("x")) == [("x", code)]


def test_a_number_off_its_step_is_told_with_step_and_value() -> None:
    reader = FieldReader({"limit_price": "10.01"})
    reader.decimal("limit_price", step=_FIVE_CENTS)
    with pytest.raises(ValidationFailed) as raised:
        reader.finish()
    (error,) = raised.value.errors
    assert error.code == "off_step"
    assert error.detail == "Must be a multiple of 0.05; 10.01 is not."


def test_bounds_of_decimals() -> None:
    def read(reader: FieldReader) -> Any:
        return reader.decimal("x", above=Decimal(0), maximum=Decimal(10))

    assert _value("10", read) == 10
    assert _codes({"x": "0"}, read) == [("x", "too_small")]
    assert _codes({"x": "10.1"}, read) == [("x", "too_large")]
    assert _codes({"x": "-1"}, lambda reader: reader.decimal("x", minimum=Decimal(0))) == [
        ("x", "too_small")
    ]


@given(st.decimals(-(10**29), 10**29, places=8, allow_nan=False, allow_infinity=False))
def test_any_decimal_that_fits_comes_through_unchanged(number: Decimal) -> None:
    assert _value(format(number, "f"), lambda reader: reader.decimal("x")) == number
    assert _value(number, lambda reader: reader.decimal("x")) == number


@given(st.text() | st.integers() | st.floats() | st.booleans() | st.binary())
def test_no_value_makes_a_reader_fail_otherwise(value: Any) -> None:
    for read in (
        lambda reader: reader.decimal("x"),
        lambda reader: reader.integer("x", minimum=0, maximum=10),
        lambda reader: reader.text("x", max_length=10),
        lambda reader: reader.symbol("x"),
        lambda reader: reader.instant("x"),
        lambda reader: reader.uuid("x"),
        lambda reader: reader.boolean("x"),
        lambda reader: reader.choice("x", ("a", "b"), any_case=True),
    ):
        reader = FieldReader({"x": value}, is_text=True)
        read(reader)
        try:
            reader.finish()
        except ValidationFailed as refused:
            assert [error.field for error in refused.errors] == ["x"]


# --- whole numbers ----------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["10", True, Decimal("10.5"), Decimal("10.0"), 10.0, [], "x"])
def test_a_body_takes_whole_json_numbers_alone(value: Any) -> None:
    assert _codes({"x": value}, lambda reader: reader.integer("x", minimum=0, maximum=99)) == [
        ("x", "not_an_integer")
    ]


@pytest.mark.parametrize("value", [0, 101, -5, 10**4299])
def test_whole_numbers_have_bounds(value: int) -> None:
    assert _codes({"x": value}, lambda reader: reader.integer("x", minimum=1, maximum=100)) == [
        ("x", "out_of_range")
    ]


def test_a_query_string_takes_digits() -> None:
    reader = FieldReader.of_query({"trades": "10", "depth": ""})
    assert reader.integer("trades", minimum=1, maximum=1000) == 10
    assert reader.optional_integer("depth", minimum=1, maximum=50) is None
    reader.finish()


@pytest.mark.parametrize("text", ["1.0", "ten", "1e1", " 1", "9" * 5000, "٣", "0x1", "1_0"])
def test_a_query_string_takes_no_other_numbers(text: str) -> None:
    reader = FieldReader.of_query({"trades": text})
    reader.integer("trades", minimum=1, maximum=1000)
    with pytest.raises(ValidationFailed):
        reader.finish()


@pytest.mark.parametrize("number", [1, 2**63 - 1])
def test_ids_of_rows(number: int) -> None:
    assert _value(number, lambda reader: reader.row_id("x")) == number
    assert _value(number, lambda reader: reader.optional_row_id("x")) == number


@pytest.mark.parametrize("number", [0, -1, 2**63, 10**30])
def test_numbers_that_are_no_id_of_a_row(number: int) -> None:
    for read in (lambda reader: reader.row_id("x"), lambda reader: reader.optional_row_id("x")):
        assert _codes({"x": number}, read) == [("x", "out_of_range")]


def test_an_id_of_a_row_may_be_left_out() -> None:
    assert _value(None, lambda reader: reader.optional_row_id("x")) is None
    assert _codes({}, lambda reader: reader.row_id("x")) == [("x", "required")]


# --- text -------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["a", "PETR4", "São Paulo", "a b", "x" * 20, "日本"])
def test_text_is_taken_as_it_is(value: str) -> None:
    assert _value(value, lambda reader: reader.text("x", max_length=20)) == value


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("", "too_short"),
        ("   ", "too_short"),
        ("x" * 21, "too_long"),
        ("a\x00", "invalid_characters"),
        ("a\nb", "invalid_characters"),
        ("\x7f", "invalid_characters"),
        ("\x85", "invalid_characters"),
        ("a\u2028b", "invalid_characters"),
        ("a\u202ab", "invalid_characters"),
        ("100\u202e001", "invalid_characters"),
        ("a\u2066b", "invalid_characters"),
        ("a\u2069b", "invalid_characters"),
        ("\ud800", "invalid_characters"),
        (5, "invalid_type"),
        (True, "invalid_type"),
        (None, "required"),
    ],
)
def test_text_that_is_refused(value: Any, code: str) -> None:
    assert _codes({"x": value}, lambda reader: reader.text("x", max_length=20)) == [("x", code)]


def test_symbols_come_in_any_case() -> None:
    for read in (lambda reader: reader.symbol("x"), lambda reader: reader.optional_symbol("x")):
        assert _value("btc-Usdt", read) == "BTC-USDT"
        assert _codes({"x": "x" * 21}, read) == [("x", "too_long")]
        assert _codes({"x": ""}, read) == [("x", "too_short")]
    assert _value(None, lambda reader: reader.optional_symbol("x")) is None
    assert _codes({}, lambda reader: reader.symbol("x")) == [("x", "required")]
    assert _codes({"x": "abcd"}, lambda reader: reader.symbol("x", max_length=3)) == [
        ("x", "too_long")
    ]


@pytest.mark.parametrize("text", ["ﬀ", "ß", "ı", "ACMÉ", "АСМЕ", "ＡＢ", "A\u200bB"])
def test_no_other_letter_becomes_one_of_a_symbol(text: str) -> None:
    assert _codes({"x": text}, lambda reader: reader.symbol("x")) == [("x", "invalid_characters")]


@pytest.mark.parametrize("text", ["lımıt", "ſell"])
def test_no_other_letter_becomes_one_of_a_choice(text: str) -> None:
    assert text.upper() in ("LIMIT", "SELL")
    assert _codes(
        {"x": text}, lambda reader: reader.choice("x", ("LIMIT", "SELL"), any_case=True)
    ) == [("x", "invalid_choice")]


def test_choices() -> None:
    def read(reader: FieldReader) -> Any:
        return reader.choice("x", ("BUY", "SELL"), any_case=True)

    assert _value("buy", read) == "BUY"
    assert _codes({"x": "hold"}, read) == [("x", "invalid_choice")]
    assert _codes({"x": ["BUY"]}, read) == [("x", "invalid_type")]
    assert _codes({"x": "buy"}, lambda reader: reader.choice("x", ("BUY",))) == [
        ("x", "invalid_choice")
    ]
    assert _value(["a", "b", "a"], lambda reader: reader.optional_choices("x", "ab")) == ["a", "b"]


# --- other types ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-02-15T23:59:59Z", datetime(2026, 2, 15, 23, 59, 59, tzinfo=UTC)),
        ("2026-02-15T23:59:59.123456+00:00", datetime(2026, 2, 15, 23, 59, 59, 123456, tzinfo=UTC)),
        ("2026-02-16T01:59:59+02:00", datetime(2026, 2, 15, 23, 59, 59, tzinfo=UTC)),
        ("2026-02-15 23:59:59Z", datetime(2026, 2, 15, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_instants_are_in_utc(text: str, moment: datetime) -> None:
    value = _value(text, lambda reader: reader.instant("x"))
    assert (value, value.tzinfo) == (moment, UTC)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("2026-02-15T23:59:59", "zone_missing"),
        ("2026-02-15", "zone_missing"),
        ("tomorrow", "invalid_datetime"),
        ("", "invalid_datetime"),
        ("2026-13-01T00:00:00Z", "invalid_datetime"),
        ("2026-02-15T23:59:60Z", "invalid_datetime"),
        ("0001-01-01T00:00:00+14:00", "invalid_datetime"),
        ("9999-12-31T23:59:59-14:00", "invalid_datetime"),
        ("2026-02-15T23:59:59Z" + " " * 40, "invalid_datetime"),
        ("٢٠٢٦-02-15T23:59:59Z", "invalid_datetime"),
        (1771199999, "invalid_type"),
        (None, "required"),
    ],
)
def test_instants_that_are_refused(value: Any, code: str) -> None:
    assert _codes({"x": value}, lambda reader: reader.instant("x")) == [("x", code)]


def test_an_instant_may_have_to_be_later() -> None:
    moment = datetime(2026, 2, 15, tzinfo=timezone(timedelta(hours=1)))
    assert _codes(
        {"x": "2026-02-14T23:00:00Z"}, lambda reader: reader.instant("x", after=moment)
    ) == [("x", "too_early")]
    assert _value("2026-02-14T23:00:01Z", lambda reader: reader.instant("x", after=moment))


def test_uuids() -> None:
    assert _value(_ID, lambda reader: reader.uuid("x")) == UUID(_ID)
    assert _value(_ID.upper(), lambda reader: reader.uuid("x")) == UUID(_ID)


@pytest.mark.parametrize(
    "value", ["", "x", _ID.replace("-", ""), f"{{{_ID}}}", f"urn:uuid:{_ID}", _ID + "0", "_" * 36]
)
def test_uuids_have_one_form(value: str) -> None:
    assert _codes({"x": value}, lambda reader: reader.uuid("x")) == [("x", "invalid_uuid")]


def test_booleans() -> None:
    assert _value(True, lambda reader: reader.boolean("x")) is True
    for value in (1, 0, "true", "yes"):
        assert _codes({"x": value}, lambda reader: reader.boolean("x")) == [("x", "invalid_type")]
    reader = FieldReader.of_query({"a": "true", "b": "false"})
    assert (reader.boolean("a"), reader.boolean("b"), reader.optional_boolean("c")) == (
        True,
        False,
        None,
    )


# --- the whole --------------------------------------------------------------------------------


def test_all_that_is_wrong_is_told_at_once() -> None:
    def read(reader: FieldReader) -> None:
        reader.text("symbol", max_length=10)
        reader.decimal("price")
        reader.integer("quantity", minimum=1, maximum=10)
        reader.optional_instant("valid_until")

    values = {"price": "x", "quantity": 0, "valid_until": "soon", "extra": 1, "\x00": 2}
    assert _codes(values, read) == [
        ("symbol", "required"),
        ("price", "not_a_number"),
        ("quantity", "out_of_range"),
        ("valid_until", "invalid_datetime"),
        ("extra", "unknown_field"),
        ("?", "unknown_field"),
    ]


def test_unknown_parameters_of_a_query_string_are_refused() -> None:
    reader = FieldReader.of_query({"page_size": "10", "limit": "2", "other": ""})
    assert reader.integer("page_size", minimum=1, maximum=1000) == 10
    with pytest.raises(ValidationFailed) as raised:
        reader.finish()
    assert [(one.field, one.code) for one in raised.value.errors] == [
        ("limit", "unknown_field"),
        ("other", "unknown_field"),
    ]


def test_unknown_fields_may_be_ignored() -> None:
    reader = FieldReader.of_body({"a": "x", "b": 1}, ignore_unknown=True)
    assert reader.text("a", max_length=5) == "x"
    reader.finish()


def test_null_is_missing() -> None:
    reader = FieldReader.of_body({"a": None, "b": None})
    assert reader.has("a")
    assert reader.optional_text("a", max_length=5) is None
    assert reader.optional_decimal("b") is None
    reader.finish()


@pytest.mark.parametrize("body", [[], "x", 1, None, True])
def test_a_body_must_be_an_object(body: Any) -> None:
    with pytest.raises(ValidationFailed):
        FieldReader.of_body(body)


def test_lists_of_objects_are_read_with_their_places() -> None:
    def read(reader: FieldReader) -> None:
        for order in reader.objects("orders", max_length=3):
            order.integer("quantity", minimum=1, maximum=10)
            order.refuse_unknown()

    values = {"orders": [{"quantity": 1}, {"quantity": 0, "x": 1}, 7]}
    assert _codes(values, read) == [
        ("orders.2", "invalid_type"),
        ("orders.1.quantity", "out_of_range"),
        ("orders.1.x", "unknown_field"),
    ]
    wrong: Any
    for wrong in ([], [{}, {}, {}, {}]):
        assert _codes({"orders": wrong}, read) == [("orders", "invalid_length")]


@pytest.mark.parametrize("number", [49, 50, 51, 75_000])
def test_errors_are_listed_up_to_a_limit_and_counted_beyond_it(number: int) -> None:
    reader = FieldReader({f"f{index}": 1 for index in range(number)})
    reader.text("symbol", max_length=10)
    with pytest.raises(ValidationFailed) as raised:
        reader.finish()
    assert len(raised.value.errors) + raised.value.left_out == number + 1
    shown = shown_errors(raised.value)
    assert [one.field for one in shown[:3]] == ["symbol", "f0", "f1"]
    if number == 49:
        assert len(shown) == 50
    else:
        assert (len(shown), shown[50].code) == (51, "more_errors")
        assert shown[50].detail == f"{number + 1 - 50} more errors are not listed."


def test_errors_of_many_objects_are_counted_together() -> None:
    reader = FieldReader({"orders": [{"x": 1, "y": 2}] * 100})
    for order in reader.objects("orders", max_length=100):
        order.refuse_unknown()
    with pytest.raises(ValidationFailed) as raised:
        reader.finish()
    assert (len(raised.value.errors), raised.value.left_out) == (50, 150)
