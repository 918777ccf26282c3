"""JSON request bodies as Python values, without a float on the way.

Whole numbers become `int`, fractions `Decimal` with the very digits that were sent. A number with
an exponent, or of more than 64 characters, becomes an `UnreadableNumber`, so that the field that
holds it can refuse it by name and nothing is ever computed with it. Of a member that is sent twice
the last one counts.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import IO, Any

import msgspec
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from rest_framework.parsers import BaseParser

from common.errors import FieldError, MalformedRequest, PayloadTooLarge, ValidationFailed

BODY_BYTES_MAX = 1_048_576
NUMBER_CHARACTERS_MAX = 64


class UnreadableNumber:
    """A JSON number that the venue does not take: with an exponent, or far too long."""

    __slots__ = ("has_exponent",)

    def __init__(self, text: str) -> None:
        self.has_exponent = len(text) <= NUMBER_CHARACTERS_MAX


def _read_number(text: str) -> Decimal | UnreadableNumber:
    if len(text) > NUMBER_CHARACTERS_MAX or "e" in text or "E" in text:
        return UnreadableNumber(text)
    return Decimal(text)


_decoder = msgspec.json.Decoder(float_hook=_read_number)


def parse_json(body: bytes) -> Any:
    """The value that `body` holds.

    Raises:
        MalformedRequest: no JSON, not UTF-8, NaN or Infinity, lone surrogates, nested too deeply.
        ValidationFailed: a whole number of more digits than any field takes.
        PayloadTooLarge: more than 1 MiB.
    """
    if len(body) > BODY_BYTES_MAX:
        raise PayloadTooLarge(limit_bytes=BODY_BYTES_MAX)
    try:
        return _decoder.decode(body)
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
