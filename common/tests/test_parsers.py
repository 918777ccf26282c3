"""JSON in: exact numbers, and no input that is answered 500 or takes long."""

import time
from decimal import Decimal

import pytest

from common.api.parsers import BODY_BYTES_MAX, UnreadableNumber, parse_json
from common.errors import ExchangeError, MalformedRequest, PayloadTooLarge, ValidationFailed


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"price": 0.1}', {"price": Decimal("0.1")}),
        (b"12345678901234567890.12345678", Decimal("12345678901234567890.12345678")),
        (b"0.1000", Decimal("0.1000")),
        (b"10.0", Decimal("10.0")),
        (b"9007199254740993", 9007199254740993),
        (b"18446744073709551616", 18446744073709551616),
        (b"-1", -1),
        (b"[true, null, []]", [True, None, []]),
        ('"Bolsa São Paulo 😀"'.encode(), "Bolsa São Paulo 😀"),
        (b'"\\ud83d\\ude00"', "😀"),
        (b'{"a": 1, "a": 2}', {"a": 2}),
    ],
)
def test_values_are_exact(body: bytes, value: object) -> None:
    parsed = parse_json(body)
    assert parsed == value
    assert type(parsed) is type(value)
    assert str(parsed) == str(value)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"{]",
        b"[1,]",
        b"{'a': 1}",
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b'{"price": NaN}',
        b"01",
        b"1.",
        b".5",
        b"+1",
        b"0x10",
        b"1 2",
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b'"\\ud800"',
        b'"\\ude00"',
        b'"\\ud800abc"',
        b'"a\x00b"',
        b"\xef\xbb\xbf{}",
        '{"a": 1}'.encode("utf-16"),
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * 5000 + b"]" * 5000,
    ],
)
def test_what_is_no_json_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedRequest) as raised:
        parse_json(body)
    assert raised.value.status == 400


@pytest.mark.parametrize(
    "number", [b"1e5", b"1E5", b"1e-5", b"1e999999999", b"-1e-999999999", b"1e" + b"9" * 20]
)
def test_an_exponent_is_left_for_the_field_to_refuse(number: bytes) -> None:
    parsed = parse_json(b'{"price": ' + number + b"}")
    assert isinstance(parsed["price"], UnreadableNumber)
    assert parsed["price"].has_exponent


@pytest.mark.parametrize("digits", [10_000, 1_000_000])
def test_whole_numbers_of_many_digits_are_refused_quickly(digits: int) -> None:
    started = time.perf_counter()
    with pytest.raises(ValidationFailed) as raised:
        parse_json(b"9" * digits)
    assert raised.value.errors[0].code == "too_many_digits"
    assert time.perf_counter() - started < 0.5


def test_fractions_of_many_digits_are_not_computed_with() -> None:
    parsed = parse_json(b"[1." + b"9" * 1_000_000 + b"]")
    assert isinstance(parsed[0], UnreadableNumber)
    assert not parsed[0].has_exponent


@pytest.mark.parametrize("number", [b"1e999999999", b"9" * 4000, b"1." + b"9" * 1000])
def test_a_body_full_of_hostile_numbers_takes_no_long_time(number: bytes) -> None:
    body = b"[" + b",".join([number] * (1_000_000 // (len(number) + 1))) + b"]"
    started = time.perf_counter()
    try:
        parse_json(body)
    except ExchangeError as refused:
        assert refused.status < 500
    assert time.perf_counter() - started < 3


def test_a_large_body_is_refused() -> None:
    with pytest.raises(PayloadTooLarge):
        parse_json(b'"' + b"a" * BODY_BYTES_MAX + b'"')
    assert parse_json(b'"' + b"a" * (BODY_BYTES_MAX - 2) + b'"')
