"""Reads the values of a request, field by field, and collects what is wrong with them.

    reader = FieldReader.of_body(request.data)
    symbol = reader.symbol("symbol")
    price = reader.optional_decimal("limit_price", above=ZERO)
    reader.finish()

A required field that is missing or wrong yields a harmless value of its type, so that the rest can
be looked at too; nothing read may be used before `finish()` has raised or returned. An `optional_…`
one yields None when it is missing or null. Nothing is rounded, stripped or guessed.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from msgspec import NODEFAULT

from common.api import values
from common.api.declarations import NIL_UUID, FieldPlan, plan_of
from common.api.values import ValueRefused
from common.errors import SHOWN_ERRORS_MAX, FieldError, ValidationFailed
from common.instants import EPOCH
from common.limits import BIGINT_MAX, SYMBOL_LENGTH_MAX

_ZERO = Decimal(0)
_ABSENT = object()
T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)


class FieldReader:
    """Values of one JSON object or query string. Not for reuse after `finish()`."""

    __slots__ = ("_errors", "_ignores_unknown", "_is_text", "_path", "_rest")

    def __init__(
        self,
        given: Mapping[str, Any],
        *,
        ignore_unknown: bool = False,
        is_text: bool = False,
        path: str = "",
        errors: "_FoundErrors | None" = None,
    ) -> None:
        self._rest = dict(given)
        self._ignores_unknown = ignore_unknown
        self._is_text = is_text
        self._path = path
        self._errors = errors or _FoundErrors()

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
    def of_query(cls, query: Mapping[str, Any], *, ignore_unknown: bool = False) -> "FieldReader":
        """A reader of a query string, in which numbers and booleans are text; the last one counts.

        An empty value counts as missing.
        """
        given = {name: None if value == "" else value for name, value in query.items()}
        return cls(given, ignore_unknown=ignore_unknown, is_text=True)

    def has(self, name: str) -> bool:
        """Whether the field is there and has not been read yet, be it null (for PATCH)."""
        return name in self._rest

    def refuse(self, name: str, code: str, detail: str) -> None:
        """Note an error of the field `name`, also for rules between fields."""
        self._errors.add(f"{self._path}{name}", code, detail)

    def finish(self) -> None:
        """Raise all that was found.

        Raises:
            ValidationFailed: at least one field is missing, wrong or unknown.
        """
        if self._rest and not self._ignores_unknown:
            self.refuse_unknown()
        found = self._errors
        if found.listed:
            raise ValidationFailed(errors=found.listed, left_out=found.left_out)

    def skip(self, name: str) -> None:
        """Leave a field unread, whatever it holds."""
        self._rest.pop(name, None)

    def struct(self, kind: type[S], **given: Any) -> S:
        """The fields that `kind` declares, but for those that are `given` from elsewhere.

        Rules between fields can be applied to it at once, since a wrong field holds a harmless
        value of its type.
        """
        rest = self._rest
        for field in plan_of(kind, self._is_text):
            name = field.name
            if name in given:
                continue
            value = rest.pop(name, _ABSENT)
            if value is _ABSENT:
                name, value = self._take_other(field)
            if value is not None:
                try:
                    given[field.name] = field.read(value)
                    continue
                except ValueRefused as refused:
                    self.refuse(name, refused.code, refused.detail)
            elif field.default is not NODEFAULT:
                given[field.name] = field.default
                continue
            else:
                self.refuse(name, "required", "This field is required.")
            given[field.name] = field.harmless
        return kind(**given)

    def refuse_unknown(self) -> None:
        """Note every field that nobody has read."""
        room = SHOWN_ERRORS_MAX - len(self._errors.listed)
        for name in islice(self._rest, room):
            shown = name if name.isprintable() and len(name) <= 100 else "?"
            self.refuse(shown, "unknown_field", "There is no such field.")
        self._errors.left_out += max(0, len(self._rest) - room)

    # --- text -------------------------------------------------------------------------------------

    def text(self, name: str, *, max_length: int, min_length: int = 1) -> str:
        """Text without control characters, and not only blanks."""
        rules = {"max_length": max_length, "min_length": min_length}
        return self._read(name, "", values.read_text, **rules)

    def optional_text(self, name: str, *, max_length: int, min_length: int = 1) -> str | None:
        """`text`, or None."""
        if self._is_absent(name):
            return None
        return self.text(name, max_length=max_length, min_length=min_length)

    def identifier(self, name: str, *, max_length: int) -> str:
        """A number or name that people type, in its normal form."""
        return self._read(name, "", values.read_identifier, max_length=max_length)

    def optional_identifier(self, name: str, *, max_length: int) -> str | None:
        """`identifier`, or None."""
        return None if self._is_absent(name) else self.identifier(name, max_length=max_length)

    def symbol(self, name: str, *, max_length: int = SYMBOL_LENGTH_MAX) -> str:
        """A symbol, or the code of an asset, in any case; in upper case. ASCII only."""
        return self._read(name, "", values.read_symbol, max_length=max_length)

    def optional_symbol(self, name: str, *, max_length: int = SYMBOL_LENGTH_MAX) -> str | None:
        """`symbol`, or None."""
        return None if self._is_absent(name) else self.symbol(name, max_length=max_length)

    def choice(self, name: str, choices: Collection[str], *, any_case: bool = False) -> str:
        """One of `choices`; with `any_case` they are upper case and the value need not be."""
        return self._read(name, "", values.read_choice, choices=choices, any_case=any_case)

    def optional_choice(
        self, name: str, choices: Collection[str], *, any_case: bool = False
    ) -> str | None:
        """`choice`, or None."""
        return None if self._is_absent(name) else self.choice(name, choices, any_case=any_case)

    def optional_choices(self, name: str, choices: Collection[str]) -> list[str] | None:
        """A list of different `choices` without repetition, at least one; or None."""
        if self._is_absent(name):
            return None
        none: list[str] = []
        return self._read(name, none, _read_list, choices=choices)

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
        rules = {"step": step, "above": above, "minimum": minimum, "maximum": maximum}
        return self._read(name, _ZERO, values.read_decimal, **rules)

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
        is_strict = not self._is_text if strict is None else strict
        rules = {"minimum": minimum, "maximum": maximum, "strict": is_strict}
        return self._read(name, 0, values.read_integer, **rules)

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
        return self._read(name, False, values.read_boolean, is_text=self._is_text)

    def optional_boolean(self, name: str) -> bool | None:
        """`boolean`, or None."""
        return None if self._is_absent(name) else self.boolean(name)

    def instant(self, name: str, *, after: datetime | None = None) -> datetime:
        """An ISO 8601 date and time with a zone, later than `after`; in UTC."""
        return self._read(name, EPOCH, values.read_instant, after=after)

    def optional_instant(self, name: str, *, after: datetime | None = None) -> datetime | None:
        """`instant`, or None."""
        return None if self._is_absent(name) else self.instant(name, after=after)

    def uuid(self, name: str) -> UUID:
        """A UUID in its usual form with hyphens."""
        return self._read(name, NIL_UUID, values.read_uuid)

    def optional_uuid(self, name: str) -> UUID | None:
        """`uuid`, or None."""
        return None if self._is_absent(name) else self.uuid(name)

    def objects(self, name: str, *, max_length: int) -> "list[FieldReader]":
        """Readers of the objects of a list; their errors are raised by this reader's `finish`.

        Call `refuse_unknown()` on each one whose fields must all be known.
        """
        none: list[Any] = []
        objects = self._read(name, none, _read_objects_list, max_length=max_length)
        return list(self._readers(name, objects))

    # --- plumbing ---------------------------------------------------------------------------------

    def _readers(self, name: str, objects: list[Any]) -> "Iterable[FieldReader]":
        for index, value in enumerate(objects):
            path = f"{self._path}{name}.{index}"
            if type(value) is not dict:
                self._errors.add(path, "invalid_type", "Must be an object.")
            else:
                yield FieldReader(value, path=f"{path}.", errors=self._errors)

    def _take_other(self, field: FieldPlan) -> tuple[str, Any]:
        """A field by another of its names, with that name; None where it has none of them."""
        for name in field.other_names:
            if name in self._rest:
                return name, self._rest.pop(name)
        return field.name, None

    def _read(self, name: str, harmless: T, read: Callable[..., T], **rules: Any) -> T:
        """What `read` makes of a field; `harmless` where it is missing, null or refused."""
        value = self._rest.pop(name, None)
        if value is None:
            self.refuse(name, "required", "This field is required.")
            return harmless
        try:
            return read(value, **rules)
        except ValueRefused as refused:
            self.refuse(name, refused.code, refused.detail)
            return harmless

    def _is_absent(self, name: str) -> bool:
        """Whether the field is missing or null; a null is taken out, so that it is not unknown."""
        if self._rest.get(name) is not None:
            return False
        self._rest.pop(name, None)
        return True


class _FoundErrors:
    """The errors of a request: as many as an answer lists, and how many more there are."""

    __slots__ = ("left_out", "listed")

    def __init__(self) -> None:
        self.listed: list[FieldError] = []
        self.left_out = 0

    def add(self, field: str, code: str, detail: str) -> None:
        """Note one."""
        if len(self.listed) < SHOWN_ERRORS_MAX:
            self.listed.append(FieldError(field, code, detail))
        else:
            self.left_out += 1


def _read_list(value: Any, *, choices: Collection[str]) -> list[str]:
    if type(value) is not list:
        raise values.wrong_type("a list")
    if not value or any(type(one) is not str or one not in choices for one in value):
        raise ValueRefused("invalid_choice", f"A list of: {', '.join(choices)}.")
    return list(dict.fromkeys(value))


def _read_objects_list(value: Any, *, max_length: int) -> list[Any]:
    if type(value) is not list:
        raise values.wrong_type("a list of objects")
    if not 0 < len(value) <= max_length:
        raise ValueRefused("invalid_length", f"1 to {max_length} objects.")
    return value
