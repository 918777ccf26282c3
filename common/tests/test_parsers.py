"""JSON in: exact numbers, and no input that is answered 500 or takes long."""

import json
import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.api.parsers import BODY_BYTES_MAX, UnreadableNumber, parse_json
from common.errors import ExchangeError, MalformedRequest, PayloadTooLarge, ValidationFailed


class _Members(list[tuple[str, Any]]):
    """The members of a JSON object in their order, repeated ones too."""


def _write(tree: Any, is_ascii: bool) -> str:
    if isinstance(tree, _Members):
        members = (
            f"{json.dumps(name, ensure_ascii=is_ascii)}: {_write(value, is_ascii)}"
            for name, value in tree
        )
        return f"{{{', '.join(members)}}}"
    if isinstance(tree, list):
        return f"[{', '.join(_write(value, is_ascii) for value in tree)}]"
    return json.dumps(tree, ensure_ascii=is_ascii)


def _has_repeated_members(tree: Any) -> bool:
    if isinstance(tree, _Members):
        names = [name for name, _ in tree]
        return len(set(names)) < len(names) or any(_has_repeated_members(one) for _, one in tree)
    return isinstance(tree, list) and any(map(_has_repeated_members, tree))


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
        (b"1e5", Decimal(100000)),
        (b"1E5", Decimal(100000)),
        (b"1e-05", Decimal("0.00001")),
        (b"-1.50e+2", Decimal(-150)),
        (b"0e5", Decimal("0")),
        (b'{"a:b": ":", "c": {"a:b": ["::", {}]}}', {"a:b": ":", "c": {"a:b": ["::", {}]}}),
        (b'{"a\\u003ab": "\\\\:"}', {"a:b": "\\:"}),
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
    "number", [b"1e65", b"1e-65", b"1e999999999", b"-1e-999999999", b"0e999", b"1e" + b"9" * 20]
)
def test_an_exponent_out_of_reach_is_left_for_the_field_to_refuse(number: bytes) -> None:
    parsed = parse_json(b'{"price": ' + number + b"}")
    assert isinstance(parsed["price"], UnreadableNumber)
    assert parsed["price"].has_exponent


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b'{"a": 1, "a": 1}', "a"),
        (b'{"a": 1, "b": 2, "a": null}', "a"),
        (b'[1, {"b": {"c:d": ":", "c:d": ":"}}]', "c:d"),
        (b'{"a": {"x": 1}, "a": ":"}', "a"),
        (b'{"side": "BUY", "\\u0073ide": "SELL"}', "side"),
        (b'{"": 1, "": 2}', ""),
        (b'{"a\\n": 1, "a\\n": 2}', "?"),
        (b'{"' + b"x" * 101 + b'": 1, "' + b"x" * 101 + b'": 1e999999999}', "?"),
    ],
)
def test_a_member_that_is_sent_twice_is_malformed(body: bytes, name: str) -> None:
    with pytest.raises(MalformedRequest) as raised:
        parse_json(body)
    assert raised.value.detail == f"The member {name} was sent twice."


_names = st.sampled_from(["a", "b", "a:b", ":", "a\\", "\u00e9", '"'])
_trees = st.recursive(
    st.none() | st.integers(-9, 9) | _names,
    lambda inner: (
        st.lists(inner, max_size=3) | st.lists(st.tuples(_names, inner), max_size=4).map(_Members)
    ),
    max_leaves=12,
)


@given(_trees, st.booleans())
def test_repeated_members_are_found_wherever_they_are(tree: Any, is_ascii: bool) -> None:
    body = _write(tree, is_ascii).encode()
    if _has_repeated_members(tree):
        with pytest.raises(MalformedRequest):
            parse_json(body)
    else:
        assert parse_json(body) == json.loads(body)


@pytest.mark.parametrize(
    "body",
    [
        b"{" + b",".join(b'"m%d":":"' % number for number in range(75_000)) + b"}",
        b'{"x":"\\n",' + b",".join(b'"m%d":1e9' % number for number in range(75_000)) + b"}",
        b"[" + b",".join([b"{}"] * 300_000) + b"]",
    ],
)
def test_looking_for_repeated_members_takes_no_long_time(body: bytes) -> None:
    started = time.thread_time()
    parse_json(body)
    assert time.thread_time() - started < 1


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
