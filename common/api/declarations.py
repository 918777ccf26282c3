"""Requests and answers, each declared once as a msgspec Struct.

    class ListRequest(Request, kw_only=True):
        symbol: Annotated[Symbol | None, Meta(description="Of one instrument.")] = None
        side: Annotated[SideChoice | None, also_named("action")] = None

From the declaration come the reading of a request (`FieldReader.struct`), the JSON and the CSV of
an answer, and the component of the OpenAPI document (`common.api.openapi`). A field with a default
may be left out; null is the same as left out.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache, partial
from types import NoneType, UnionType
from typing import Annotated, Any, Union, cast, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec
from msgspec import NODEFAULT, Meta

from common.api import values
from common.instants import EPOCH
from common.limits import BIGINT_MAX, SYMBOL_LENGTH_MAX

_ZERO = Decimal(0)
NIL_UUID = UUID(int=0)
# Takes the place of a value that is missing or wrong, until the errors are raised.
_HARMLESS: Mapping[Any, Any] = {
    str: "",
    int: 0,
    bool: False,
    Decimal: _ZERO,
    datetime: EPOCH,
    UUID: NIL_UUID,
}
_PLAIN_READERS: Mapping[Any, Callable[[Any], Any]] = {
    datetime: values.read_instant,
    UUID: values.read_uuid,
}
_COMPONENTS = "#/components/schemas/"


class Document(msgspec.Struct, frozen=True):
    """An answer. It is encoded as it is: amounts and instants are texts already."""


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A body or a query string; unknown fields are refused."""


# --- answers --------------------------------------------------------------------------------------

# From `common.money.plain`.
Amount = Annotated[
    str, Meta(pattern=r"^-?[0-9]+(\.[0-9]+)?$", extra_json_schema={"format": "decimal"})
]
# From `common.api.renderers.format_instant`.
Instant = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]


@cache
def page_of(row: type[Document]) -> type[Document]:
    """The cursor page of `row`s that `common.api.pagination` answers."""
    link = Annotated[str | None, Meta(description="The address of that page; null: there is none.")]
    page = msgspec.defstruct(
        f"{row.__name__}Page",
        [("next", link), ("previous", link), ("results", list[row])],  # type: ignore[valid-type]
        bases=(Document,),
        frozen=True,
    )
    page.__doc__ = "A page of a list, newest first."
    return cast(type[Document], page)


# --- requests -------------------------------------------------------------------------------------


def symbol_of(max_length: int = SYMBOL_LENGTH_MAX) -> Meta:
    """A text that is a symbol, or the code of an asset: sent in any case, read in upper case."""
    return Meta(min_length=1, max_length=max_length, extra={"read": values.read_symbol})


def identifier_of(max_length: int) -> Meta:
    """A number or name that people type: read in its normal form, without blanks at its ends."""
    return Meta(min_length=1, max_length=max_length, extra={"read": values.read_identifier})


Symbol = Annotated[str, symbol_of()]
Number = Decimal
RowId = Annotated[int, Meta(ge=1, le=BIGINT_MAX)]
PositiveNumber = Annotated[Decimal, Meta(extra={"above": _ZERO})]
Moment = Annotated[datetime, Meta(tz=True)]


@dataclass(frozen=True, slots=True)
class Choices:
    """Words that a field takes, with what each stands for; `component` names them in OpenAPI."""

    component: str
    meanings: Mapping[str, str]
    any_case: bool


def one_of(
    component: str, words: Iterable[str] | Mapping[str, str], *, any_case: bool = False
) -> Meta:
    """A text that is one of `words`; a mapping says what a request that sends one means by it.

    With `any_case` the words are upper case, and a request may send them in any.
    """
    meanings = dict(words) if isinstance(words, Mapping) else {word: word for word in words}
    return Meta(
        extra={"choices": Choices(component, meanings, any_case)},
        extra_json_schema={"$ref": f"{_COMPONENTS}{component}"},
    )


def also_named(*names: str) -> Meta:
    """Other names of a field, of which one is read where the field's own is not sent."""
    return Meta(extra={"names": names})


# --- reading --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """How one field of a request is read. `default` is NODEFAULT where it is required."""

    name: str
    other_names: tuple[str, ...]
    read: Callable[[Any], Any]
    default: Any
    harmless: Any


@cache
def plan_of(kind: type[msgspec.Struct], is_text: bool) -> tuple[FieldPlan, ...]:
    """How the fields of `kind` are read, in their order; `is_text`: from a query string."""
    hints = get_type_hints(kind, include_extras=True)
    return tuple(_plan(field, hints[field.name], is_text) for field in msgspec.structs.fields(kind))


def choices_of(kind: type[msgspec.Struct]) -> dict[str, Choices]:
    """The choices of those fields of `kind` that have some."""
    hints = get_type_hints(kind, include_extras=True)
    extras = {name: _extra(_unwrap(hint)[1]) for name, hint in hints.items()}
    return {name: extra["choices"] for name, extra in extras.items() if "choices" in extra}


def other_names_of(kind: type[msgspec.Struct]) -> dict[str, tuple[str, ...]]:
    """The other names of those fields of `kind` that have some."""
    return {plan.name: plan.other_names for plan in plan_of(kind, False) if plan.other_names}


def _plan(field: msgspec.structs.FieldInfo, hint: Any, is_text: bool) -> FieldPlan:
    base, metas = _unwrap(hint)
    extra = _extra(metas)
    default = field.default
    if field.default_factory is not NODEFAULT:
        default = field.default_factory()
    return FieldPlan(
        name=field.name,
        other_names=extra.get("names", ()),
        read=_reader(base, metas, extra, is_text),
        default=default,
        harmless=_HARMLESS[base],
    )


def _extra(metas: Iterable[Meta]) -> dict[str, Any]:
    """What annotations say beyond JSON schema."""
    return {name: value for meta in metas for name, value in (meta.extra or {}).items()}


def _unwrap(hint: Any) -> tuple[Any, list[Meta]]:
    """The type below annotations and `| None`, and the annotations from the inside out."""
    metas: list[Meta] = []
    while True:
        if get_origin(hint) is Annotated:
            hint, *found = get_args(hint)
            metas[:0] = [one for one in found if isinstance(one, Meta)]
            continue
        kinds = [one for one in get_args(hint) if one is not NoneType]
        if get_origin(hint) not in (Union, UnionType) or len(kinds) > 1:
            return hint, metas
        hint = kinds[0]


def _reader(
    base: Any, metas: list[Meta], extra: Mapping[str, Any], is_text: bool
) -> Callable[[Any], Any]:
    """The function that reads a value of type `base`.

    Raises:
        KeyError: no request has fields of this type.
    """
    if "choices" in extra:
        choices: Choices = extra["choices"]
        return partial(_read_word, choices.meanings, choices.any_case)
    if base is str:
        return partial(extra.get("read", values.read_text), max_length=_last(metas, "max_length"))
    if base is int:
        least, most = _last(metas, "ge"), _last(metas, "le")
        return partial(values.read_integer, minimum=least, maximum=most, strict=not is_text)
    if base is Decimal:
        return partial(values.read_decimal, above=extra.get("above"))
    if base is bool:
        return partial(values.read_boolean, is_text=is_text)
    return _PLAIN_READERS[base]


def _last(metas: list[Meta], constraint: str) -> Any:
    """A constraint that a field must have; the outermost annotation counts."""
    return [found for meta in metas if (found := getattr(meta, constraint)) is not None][-1]


def _read_word(meanings: Mapping[str, str], any_case: bool, value: Any) -> str:
    return meanings[values.read_choice(value, meanings, any_case=any_case)]
