"""JSON request bodies as Python values, without a float on the way.

Whole numbers become `int`, fractions `Decimal` with the digits that were sent. A number whose
exponent is out of reach, or of more than 64 characters, becomes an `UnreadableNumber`, so that the
field that holds it can refuse it by name and nothing is ever computed with it. An object that names
a member twice is malformed, since no two parsers agree on what it says.
"""

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import IO, Any

import msgspec
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from rest_framework.parsers import BaseParser

from common.errors import FieldError, MalformedRequest, PayloadTooLarge, ValidationFailed

BODY_BYTES_MAX = 1_048_576
NUMBER_CHARACTERS_MAX = 64
# Beyond it in either direction no number fits, and writing one out would take a lot of memory.
_EXPONENT_MAX = 64
_SHOWN_NAME_MAX = 100


class UnreadableNumber:
    """A number that the venue does not read: its exponent is out of reach, or it is too long."""

    __slots__ = ("has_exponent",)

    def __init__(self, text: str) -> None:
        self.has_exponent = len(text) <= NUMBER_CHARACTERS_MAX


def read_number(text: str) -> Decimal | UnreadableNumber:
    """The number that `text`, in JSON's notation, writes; without an exponent of its own."""
    if len(text) > NUMBER_CHARACTERS_MAX:
        return UnreadableNumber(text)
    if "e" not in text and "E" not in text:
        return Decimal(text)
    try:
        number = Decimal(text)
    except InvalidOperation:
        return UnreadableNumber(text)
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or not -_EXPONENT_MAX <= exponent <= _EXPONENT_MAX:
        return UnreadableNumber(text)
    return Decimal(format(number, "f"))


_decoder = msgspec.json.Decoder(float_hook=read_number)


def parse_json(body: bytes) -> Any:
    """The value that `body` holds.

    Raises:
        MalformedRequest: no JSON, not UTF-8, NaN or Infinity, lone surrogates, nested too deeply,
            or an object that has a member twice.
        ValidationFailed: a whole number of more digits than any field takes.
        PayloadTooLarge: more than 1 MiB.
    """
    if len(body) > BODY_BYTES_MAX:
        raise PayloadTooLarge(limit_bytes=BODY_BYTES_MAX)
    try:
        value = _decoder.decode(body)
        # Each member writes one colon, and without escapes so does each colon in a text: where the
        # numbers agree, no member was lost. Anything else is looked at more closely.
        if b"\\" in body or body.count(b":") != _count_colons(value):
            _refuse_repeated_members(body)
    except msgspec.ValidationError as error:  # a whole number of thousands of digits
        raise ValidationFailed(
            errors=[FieldError("", "too_many_digits", "A number has too many digits.")]
        ) from error
    except msgspec.DecodeError as error:
        raise MalformedRequest(f"The body is not valid JSON: {error}.") from error
    except UnicodeDecodeError as error:
        raise MalformedRequest("The body is not UTF-8.") from error
    except RecursionError as error:
        raise MalformedRequest("The body is nested too deeply.") from error
    return value


def _count_colons(value: Any) -> int:
    """The colons that JSON without escapes needs for `value`."""
    kind = type(value)
    if kind is dict:
        members = value.values()
        colons = len(value) + "".join(value).count(":")
    elif kind is list:
        members = value
        colons = 0
    else:
        members = (value,)
        colons = 0
    texts = []
    for member in members:
        kind = type(member)
        if kind is str:
            texts.append(member)
        elif kind is dict or kind is list:
            colons += _count_colons(member)
    return colons + "".join(texts).count(":")


def _refuse_repeated_members(body: bytes) -> None:
    """Look for an object that has a member twice. Numbers are not computed.

    Raises:
        MalformedRequest: there is one; the detail names the member.
    """
    _member_decoder.decode(body.decode())


def _check_members(members: list[tuple[str, Any]]) -> None:
    names = set()
    for name, _ in members:
        if name in names:
            is_shown = name.isprintable() and len(name) <= _SHOWN_NAME_MAX
            raise MalformedRequest(f"The member {name if is_shown else '?'} was sent twice.")
        names.add(name)


_member_decoder = json.JSONDecoder(object_pairs_hook=_check_members, parse_int=len, parse_float=len)


class JsonParser(BaseParser):
    """`parse_json` for DRF."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        try:
            body = stream.read(BODY_BYTES_MAX + 1)
        except RequestDataTooBig as error:
            raise PayloadTooLarge(limit_bytes=settings.DATA_UPLOAD_MAX_MEMORY_SIZE) from error
        return parse_json(body)
