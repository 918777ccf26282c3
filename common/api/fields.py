"""Reads the values of a request, field by field, and collects what is wrong with them.

    reader = FieldReader.of_body(request.data)
    symbol = reader.symbol("symbol")
    price = reader.optional_decimal("limit_price", above=ZERO)
    reader.finish()

A required field that is missing or wrong yields a harmless value of its type, so that the rest can
be looked at too; nothing read may be used before `finish()` has raised or returned. An `optional_…`
one yields None when it is missing or null. Nothing is rounded, stripped or guessed.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from common.api.values import ValueRefused, read_decimal, read_instant, read_integer
from common.errors import FieldError, ValidationFailed
from common.instants import EPOCH
from common.limits import BIGINT_MAX, SYMBOL_LENGTH_MAX
from common.texts import text_error

_NIL_UUID = UUID(int=0)
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ABSENT = object()


class FieldReader:
    """Values of one JSON object or query string. Not for reuse after `finish()`."""

    __slots__ = ("_errors", "_ignores_unknown", "_is_text", "_path", "_rest")

    def __init__(
        self,
        values: Mapping[str, Any],
        *,
        ignore_unknown: bool = False,
        is_text: bool = False,
        path: str = "",
        errors: list[FieldError] | None = None,
    ) -> None:
        self._rest = dict(values)
        self._ignores_unknown = ignore_unknown
        self._is_text = is_text
        self._path = path
        self._errors: list[FieldError] = [] if errors is None else errors

    @classmethod
    def of_body(cls, body: Any, *, ignore_unknown: bool = False) -> "FieldReader":
        """A reader of a parsed JSON body.

        Raises:
            ValidationFailed: the body is no JSON object.
        """
        if not isinstance(body, dict):
            problem = FieldError("", "invalid_type", "The body must be a JSON object.")
            raise ValidationFailed(errors=[problem])
        return cls(body, ignore_unknown=ignore_unknown)

    @classmethod
    def of_query(cls, query: Mapping[str, Any], *, ignore_unknown: bool = True) -> "FieldReader":
        """A reader of a query string, in which numbers and booleans are text; the last one counts.

        An empty value counts as missing.
        """
        given = {name: value for name, value in query.items() if value != ""}
        return cls(given, ignore_unknown=ignore_unknown, is_text=True)

    def has(self, name: str) -> bool:
        """Whether the field is there and has not been read yet, be it null (for PATCH)."""
        return name in self._rest

    def refuse(self, name: str, code: str, detail: str) -> None:
        """Note an error of the field `name`, also for rules between fields."""
        self._errors.append(FieldError(f"{self._path}{name}", code, detail))

    def finish(self) -> None:
        """Raise all that was found.

        Raises:
            ValidationFailed: at least one field is missing, wrong or unknown.
        """
        if self._rest and not self._ignores_unknown:
            self.refuse_unknown()
        if self._errors:
            raise ValidationFailed(errors=self._errors)

    def refuse_unknown(self) -> None:
        """Note every field that nobody has read."""
        for name in self._rest:
            shown = name if name.isprintable() and len(name) <= 100 else "?"
            self.refuse(shown, "unknown_field", "There is no such field.")

    # --- text -------------------------------------------------------------------------------------

    def text(self, name: str, *, max_length: int, min_length: int = 1) -> str:
        """Text without control characters, and not only blanks."""
        value = self._take(name)
        if type(value) is not str:
            return self._wrong_type(name, value, "text", "")
        field = f"{self._path}{name}"
        error = text_error(field, value, max_length=max_length, min_length=min_length)
        if error is None:
            return value
        self._errors.append(error)
        return ""

    def optional_text(self, name: str, *, max_length: int, min_length: int = 1) -> str | None:
        """`text`, or None."""
        if self._is_absent(name):
            return None
        return self.text(name, max_length=max_length, min_length=min_length)

    def symbol(self, name: str, *, max_length: int = SYMBOL_LENGTH_MAX) -> str:
        """A symbol, or the code of an asset, in any case; in upper case.

        ASCII alone: other letters may become ASCII ones in upper case ("ﬀ" becomes "FF").
        """
        value = self.text(name, max_length=max_length)
        if value.isascii():
            return value.upper()
        self.refuse(name, "invalid_characters", "Only the characters of ASCII are allowed.")
        return ""

    def optional_symbol(self, name: str, *, max_length: int = SYMBOL_LENGTH_MAX) -> str | None:
        """`symbol`, or None."""
        return None if self._is_absent(name) else self.symbol(name, max_length=max_length)

    def choice(self, name: str, choices: Collection[str], *, any_case: bool = False) -> str:
        """One of `choices`; with `any_case` they are upper case and the value need not be."""
        value = self._take(name)
        if type(value) is not str:
            return self._wrong_type(name, value, "text", "")
        wanted = value.upper() if any_case and value.isascii() else value
        if wanted in choices:
            return wanted
        self.refuse(name, "invalid_choice", f"One of: {', '.join(choices)}.")
        return ""

    def optional_choice(
        self, name: str, choices: Collection[str], *, any_case: bool = False
    ) -> str | None:
        """`choice`, or None."""
        return None if self._is_absent(name) else self.choice(name, choices, any_case=any_case)

    def optional_choices(self, name: str, choices: Collection[str]) -> list[str] | None:
        """A list of different `choices` without repetition, at least one; or None."""
        if self._is_absent(name):
            return None
        values = self._take(name)
        if type(values) is not list:
            return self._wrong_type(name, values, "a list", [])
        if not values or any(type(one) is not str or one not in choices for one in values):
            self.refuse(name, "invalid_choice", f"A list of: {', '.join(choices)}.")
            return []
        return list(dict.fromkeys(values))

    # --- numbers ----------------------------------------------------------------------------------

    def decimal(
        self,
        name: str,
        *,
        step: Decimal | None = None,
        above: Decimal | None = None,
        minimum: Decimal | None = None,
        maximum: Decimal | None = None,
    ) -> Decimal:
        """An exact number from a JSON number or a string; by default at most eight decimals."""
        value = self._take(name)
        if value is None or value is _ABSENT:
            return self._wrong_type(name, value, "a number", Decimal(0))
        try:
            return read_decimal(value, step=step, above=above, minimum=minimum, maximum=maximum)
        except ValueRefused as refused:
            self.refuse(name, refused.code, refused.detail)
            return Decimal(0)

    def optional_decimal(
        self,
        name: str,
        *,
        step: Decimal | None = None,
        above: Decimal | None = None,
        minimum: Decimal | None = None,
        maximum: Decimal | None = None,
    ) -> Decimal | None:
        """`decimal`, or None."""
        if self._is_absent(name):
            return None
        return self.decimal(name, step=step, above=above, minimum=minimum, maximum=maximum)

    def integer(self, name: str, *, minimum: int, maximum: int, strict: bool | None = None) -> int:
        """A whole number. `strict` (the rule in a body): no strings, and no 10.0 either."""
        value = self._take(name)
        if value is None or value is _ABSENT:
            return self._wrong_type(name, value, "a whole number", 0)
        is_strict = not self._is_text if strict is None else strict
        try:
            return read_integer(value, minimum=minimum, maximum=maximum, strict=is_strict)
        except ValueRefused as refused:
            self.refuse(name, refused.code, refused.detail)
            return 0

    def optional_integer(
        self, name: str, *, minimum: int, maximum: int, strict: bool | None = None
    ) -> int | None:
        """`integer`, or None."""
        if self._is_absent(name):
            return None
        return self.integer(name, minimum=minimum, maximum=maximum, strict=strict)

    def row_id(self, name: str) -> int:
        """The id of a row that is no UUID: a whole number above zero."""
        return self.integer(name, minimum=1, maximum=BIGINT_MAX)

    def optional_row_id(self, name: str) -> int | None:
        """`row_id`, or None."""
        return None if self._is_absent(name) else self.row_id(name)

    # --- other types ------------------------------------------------------------------------------

    def boolean(self, name: str) -> bool:
        """true or false."""
        value = self._take(name)
        if self._is_text and value in ("true", "false"):
            return bool(value == "true")
        if type(value) is not bool:
            return self._wrong_type(name, value, "true or false", False)
        return bool(value)

    def optional_boolean(self, name: str) -> bool | None:
        """`boolean`, or None."""
        return None if self._is_absent(name) else self.boolean(name)

    def instant(self, name: str, *, after: datetime | None = None) -> datetime:
        """An ISO 8601 date and time with a zone, later than `after`; in UTC."""
        value = self._take(name)
        if type(value) is not str:
            return self._wrong_type(name, value, "text", EPOCH)
        try:
            return read_instant(value, after=after)
        except ValueRefused as refused:
            self.refuse(name, refused.code, refused.detail)
            return EPOCH

    def optional_instant(self, name: str, *, after: datetime | None = None) -> datetime | None:
        """`instant`, or None."""
        return None if self._is_absent(name) else self.instant(name, after=after)

    def uuid(self, name: str) -> UUID:
        """A UUID in its usual form with hyphens."""
        value = self._take(name)
        if type(value) is not str:
            return self._wrong_type(name, value, "text", _NIL_UUID)
        if not _UUID.fullmatch(value):
            self.refuse(name, "invalid_uuid", "A UUID.")
            return _NIL_UUID
        return UUID(value)

    def optional_uuid(self, name: str) -> UUID | None:
        """`uuid`, or None."""
        return None if self._is_absent(name) else self.uuid(name)

    def objects(self, name: str, *, max_length: int) -> "list[FieldReader]":
        """Readers of the objects of a list; their errors are raised by this reader's `finish`.

        Call `refuse_unknown()` on each one whose fields must all be known.
        """
        values = self._take(name)
        if type(values) is not list:
            return self._wrong_type(name, values, "a list of objects", [])
        if not 0 < len(values) <= max_length:
            self.refuse(name, "invalid_length", f"1 to {max_length} objects.")
            return []
        return list(self._read_objects(name, values))

    def _read_objects(self, name: str, values: list[Any]) -> "Iterable[FieldReader]":
        for index, value in enumerate(values):
            path = f"{self._path}{name}.{index}"
            if type(value) is not dict:
                self._errors.append(FieldError(path, "invalid_type", "Must be an object."))
            else:
                yield FieldReader(value, path=f"{path}.", errors=self._errors)

    # --- plumbing ---------------------------------------------------------------------------------

    def _take(self, name: str) -> Any:
        return self._rest.pop(name, _ABSENT)

    def _is_absent(self, name: str) -> bool:
        """Whether the field is missing or null; a null is taken out, so that it is not unknown."""
        if self._rest.get(name) is not None:
            return False
        self._rest.pop(name, None)
        return True

    def _wrong_type(self, name: str, value: Any, wanted: str, harmless: Any) -> Any:
        if value is _ABSENT or value is None:
            self.refuse(name, "required", "This field is required.")
        else:
            self.refuse(name, "invalid_type", f"Must be {wanted}.")
        return harmless
