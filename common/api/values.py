"""Values of requests: what does not fit is refused with a code, never rounded, stripped or guessed.

Cheap for hostile input: sizes are checked before anything is computed or printed.
"""

import re
from collections.abc import Collection
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from common.api.parsers import NUMBER_CHARACTERS_MAX, UnreadableNumber, read_number
from common.money import DECIMAL_PLACES, EXACT, MAX_DIGITS, plain
from common.texts import identifier_error, normal_identifier, text_error

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
# The integer digits that NUMERIC(38, 8) holds.
_LIMIT = 10 ** (MAX_DIGITS - DECIMAL_PLACES)
_MOST, _LEAST = Decimal(_LIMIT), Decimal(-_LIMIT)
_SMALLEST_STEP = Decimal(1).scaleb(-DECIMAL_PLACES)
_ZERO = Decimal(0)
_INSTANT_CHARACTERS_MAX = 40


class ValueRefused(Exception):
    """Why a value was refused: a stable `code` and a `detail` for people."""

    def __init__(self, code: str, detail: str) -> None:
        self.code = code
        self.detail = detail
        super().__init__(detail)


def read_decimal(
    value: Any,
    *,
    step: Decimal | None = None,
    above: Decimal | None = None,
    minimum: Decimal | None = None,
    maximum: Decimal | None = None,
) -> Decimal:
    """`value` (a string, an int or a Decimal) as an exact decimal, a multiple of `step`.

    Raises:
        ValueRefused: no number, too many digits, off the step or out of the range.
    """
    number = _to_decimal(value)
    if not _LEAST < number < _MOST:
        raise ValueRefused(
            "too_many_digits", f"At most {MAX_DIGITS - DECIMAL_PLACES} digits before the point."
        )
    if step is None:
        if EXACT.remainder(number, _SMALLEST_STEP):
            raise ValueRefused(
                "too_many_decimals", f"At most {DECIMAL_PLACES} decimals; this is {plain(number)}."
            )
    elif EXACT.remainder(number, step):
        raise ValueRefused(
            "off_step", f"Must be a multiple of {plain(step)}; {plain(number)} is not."
        )
    if above is not None and number <= above:
        raise ValueRefused("too_small", f"Must be above {plain(above)}; this is {plain(number)}.")
    _check_range(number, minimum, maximum)
    return number or _ZERO  # no minus zero


def read_text(value: Any, *, max_length: int, min_length: int = 1) -> str:
    """Text without control characters, and not only blanks.

    Raises:
        ValueRefused: no text, too short, too long, or with a character that no text has.
    """
    if type(value) is not str:
        raise wrong_type("text")
    error = text_error("", value, max_length=max_length, min_length=min_length)
    if error is not None:
        raise ValueRefused(error.code, error.detail)
    return value


def read_identifier(value: Any, *, max_length: int) -> str:
    """A number or name that people type, in its normal form: see `common.texts.normal_identifier`.

    Raises:
        ValueRefused: no text, blank, too long, or with a character that no identifier has.
    """
    if type(value) is not str:
        raise wrong_type("text")
    text = normal_identifier(value)
    error = identifier_error("", text, max_length=max_length)
    if error is not None:
        raise ValueRefused(error.code, error.detail)
    return text


def read_symbol(value: Any, *, max_length: int) -> str:
    """A symbol, or the code of an asset, in any case; in upper case.

    ASCII only: other letters may become ASCII ones in upper case ("ﬀ" becomes "FF").

    Raises:
        ValueRefused: no text, too short, too long, or with other characters.
    """
    text = read_text(value, max_length=max_length)
    if not text.isascii():
        raise ValueRefused("invalid_characters", "Only the characters of ASCII are allowed.")
    return text.upper()


def read_choice(value: Any, choices: Collection[str], *, any_case: bool) -> str:
    """One of `choices`; with `any_case` they are upper case and `value` need not be.

    Raises:
        ValueRefused: no text, or none of them.
    """
    if type(value) is not str:
        raise wrong_type("text")
    wanted = value.upper() if any_case and value.isascii() else value
    if wanted not in choices:
        raise ValueRefused("invalid_choice", f"One of: {', '.join(choices)}.")
    return wanted


def read_boolean(value: Any, *, is_text: bool) -> bool:
    """true or false; in a query string as text.

    Raises:
        ValueRefused: neither.
    """
    if is_text and value in ("true", "false"):
        return bool(value == "true")
    if type(value) is not bool:
        raise wrong_type("true or false")
    return value


def read_uuid(value: Any) -> UUID:
    """A UUID in its usual form with hyphens.

    Raises:
        ValueRefused: no text, or no UUID.
    """
    if type(value) is not str:
        raise wrong_type("text")
    if not _UUID.fullmatch(value):
        raise ValueRefused("invalid_uuid", "A UUID.")
    return UUID(value)


def read_integer(value: Any, *, minimum: int, maximum: int, strict: bool) -> int:
    """`value` as a whole number in a range; `strict` takes JSON's whole numbers and nothing else.

    Raises:
        ValueRefused: no whole number, or out of the range.
    """
    if not strict and type(value) is str and _WHOLE_NUMBER.fullmatch(value):
        value = int(value)
    if type(value) is not int:
        raise ValueRefused("not_an_integer", "Must be a whole number.")
    if not minimum <= value <= maximum:
        raise ValueRefused("out_of_range", f"Must be from {minimum} to {maximum}.")
    return value


def read_instant(text: Any, *, after: datetime | None = None) -> datetime:
    """An ISO 8601 date and time with a zone, in UTC; digits beyond microseconds are cut off.

    Raises:
        ValueRefused: no date and time, without a zone, or not later than `after`.
    """
    if type(text) is not str:
        raise wrong_type("text")
    try:
        if len(text) > _INSTANT_CHARACTERS_MAX or not text.isascii():
            raise ValueError
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueRefused("zone_missing", "The time needs a zone: Z, or an offset.")
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueRefused("invalid_datetime", "An ISO 8601 date and time.") from error
    if after is not None and moment <= after:
        raise ValueRefused("too_early", f"Must be later than {after.isoformat()}.")
    return moment


def wrong_type(wanted: str) -> ValueRefused:
    """The refusal of a value of another type than the one that is wanted."""
    return ValueRefused("invalid_type", f"Must be {wanted}.")


def _to_decimal(value: Any) -> Decimal:
    kind = type(value)
    if kind is Decimal or kind is int:
        if kind is int:
            return Decimal(value) if -_LIMIT < value < _LIMIT else _MOST
        return value
    if kind is UnreadableNumber:
        raise _unreadable(value.has_exponent)
    if kind is not str:
        raise ValueRefused("invalid_type", "Must be a number, or a number in a string.")
    if len(value) > NUMBER_CHARACTERS_MAX:
        raise _unreadable(False)
    if not _NUMBER.fullmatch(value):
        raise ValueRefused("not_a_number", "Must be a decimal number.")
    number = read_number(value)
    if isinstance(number, UnreadableNumber):
        raise _unreadable(number.has_exponent)
    return number


def _unreadable(has_exponent: bool) -> ValueRefused:
    if has_exponent:
        return ValueRefused("not_a_number", "The exponent is out of range.")
    return ValueRefused("too_many_digits", f"At most {NUMBER_CHARACTERS_MAX} characters.")


def _check_range(number: Decimal, minimum: Decimal | None, maximum: Decimal | None) -> None:
    if minimum is not None and number < minimum:
        raise ValueRefused(
            "too_small", f"Must be at least {plain(minimum)}; this is {plain(number)}."
        )
    if maximum is not None and number > maximum:
        raise ValueRefused(
            "too_large", f"Must be at most {plain(maximum)}; this is {plain(number)}."
        )
