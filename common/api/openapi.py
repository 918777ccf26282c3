"""Structs in the OpenAPI document: components of bodies and answers, parameters of queries."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec
from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import Direction, OpenApiParameter, extend_schema

from common.api.declarations import Choices, Document, choices_of, other_names_of

Method = TypeVar("Method", bound=Callable[..., Any])
Schema = dict[str, Any]
_REFERENCE = "#/components/schemas/{name}"
_NULL = {"type": "null"}


class StructExtension(OpenApiSerializerExtension):
    """A Struct as a component, with those that it refers to."""

    target_class = "msgspec.Struct"
    match_subclasses = True

    def get_name(self, auto_schema: AutoSchema, direction: Direction) -> str:
        """The Struct's own name. What is sent gets the suffix Request, if it has none yet."""
        name = str(self.target.__name__)
        return name.removesuffix("Request") if direction == "request" else name

    def get_identity(self, auto_schema: AutoSchema, direction: Direction) -> str:
        """The name too: components that others refer to are made from their names alone."""
        return str(self.target.__name__)

    def map_serializer(self, auto_schema: AutoSchema, direction: Direction) -> Schema:
        """The schema of the Struct; what it refers to is added to the components."""
        _, schemas = msgspec.json.schema_components([self.target], ref_template=_REFERENCE)
        own = schemas.pop(self.target.__name__)
        for name, schema in schemas.items():
            _register(auto_schema, name, _tidy(schema))
        for choices in _choices_within(self.target):
            _register(auto_schema, choices.component, _enumeration(choices))
        return _tidy(own if issubclass(self.target, Document) else _as_sent(own, self.target))


class AnyOf:
    """An answer of one of several Structs, as a component of its own name."""

    def __init__(self, name: str, *kinds: type[msgspec.Struct]) -> None:
        self.name = name
        self.kinds = kinds


class AnyOfExtension(OpenApiSerializerExtension):
    """`AnyOf` as a component."""

    target_class = "common.api.openapi.AnyOf"

    def get_name(self, auto_schema: AutoSchema, direction: Direction) -> str:
        """Its name."""
        return str(self.target.name)

    def map_serializer(self, auto_schema: AutoSchema, direction: Direction) -> Schema:
        """References to its Structs."""
        components = [auto_schema.resolve_serializer(kind, direction) for kind in self.target.kinds]
        return {"anyOf": [component.ref for component in components]}


def operation(
    *,
    query: Sequence[type[msgspec.Struct]] = (),
    without: Sequence[str] = (),
    parameters: Sequence[OpenApiParameter] = (),
    **description: Any,
) -> Callable[[Method], Method]:
    """Describe a view's method, as `extend_schema` does, with the query string that it reads.

    The fields of `query` that are named in `without` come from elsewhere, such as the path. A
    method that declares no query string is sent none: `common.api.views.ApiView` refuses it.
    """
    described = extend_schema(
        parameters=[*parameters_of(*query, without=without), *parameters], **description
    )

    def declare(method: Method) -> Method:
        method = described(method)
        method.query = tuple(query)  # type: ignore[attr-defined]
        return method

    return declare


def parameters_of(
    *queries: type[msgspec.Struct], without: Sequence[str] = ()
) -> list[OpenApiParameter]:
    """The fields of query strings as parameters, but for those of `without`."""
    return [
        parameter
        for query in queries
        for parameter in _parameters(query)
        if parameter.name not in without
    ]


def _parameters(query: type[msgspec.Struct]) -> Iterator[OpenApiParameter]:
    _, schemas = msgspec.json.schema_components([query], ref_template=_REFERENCE)
    schema = schemas[query.__name__]
    enumerations = {
        _REFERENCE.format(name=choices.component): _enumeration(choices)
        for choices in choices_of(query).values()
    }
    for name, field in schema["properties"].items():
        plain = _plain(field)
        plain |= enumerations.get(plain.pop("$ref", ""), {})
        yield OpenApiParameter(
            name,
            plain,
            required=name in schema["required"],
            description=plain.pop("description", ""),
        )


def _plain(field: Schema) -> Schema:
    """The schema of a parameter, which is never null."""
    field = _tidy(field)
    for one in field.pop("anyOf", ()):
        if one != _NULL:
            field |= one
    return field


def _register(auto_schema: AutoSchema, name: str, schema: Schema) -> None:
    component = ResolvedComponent(
        name=name, type=ResolvedComponent.SCHEMA, schema=schema, object=name
    )
    auto_schema.registry.register_on_missing(component)


def _choices_within(kind: type[msgspec.Struct]) -> Iterator[Choices]:
    """The choices of `kind` and of all Structs that it refers to."""
    seen: set[type[msgspec.Struct]] = set()
    rest = [kind]
    while rest:
        one = rest.pop()
        if one not in seen:
            seen.add(one)
            yield from choices_of(one).values()
            rest += _structs_in(msgspec.inspect.type_info(one))


def _structs_in(info: msgspec.inspect.Type) -> Iterable[type[msgspec.Struct]]:
    """The Structs that the fields of a Struct refer to."""
    assert isinstance(info, msgspec.inspect.StructType)
    pending = [field.type for field in info.fields]
    while pending:
        one = pending.pop()
        if isinstance(one, msgspec.inspect.Metadata):
            pending.append(one.type)
        elif isinstance(one, msgspec.inspect.UnionType):
            pending += one.types
        elif isinstance(one, msgspec.inspect.ListType):
            pending.append(one.item_type)
        elif isinstance(one, msgspec.inspect.StructType):
            yield one.cls


def _enumeration(choices: Choices) -> Schema:
    return {"type": "string", "enum": list(choices.meanings)}


def _as_sent(schema: Schema, kind: type[msgspec.Struct]) -> Schema:
    """A request with the words of its choices, and the other names of its fields."""
    properties = dict(schema["properties"])
    for name, choices in choices_of(kind).items():
        if choices.any_case:
            properties[name] = {"description": "In any case."} | properties[name]
        for word, meaning in choices.meanings.items():
            if properties[name].get("default") == meaning:
                properties[name] = properties[name] | {"default": word}
    required, needed = set(schema["required"]), []
    for name, others in other_names_of(kind).items():
        for other in others:
            properties[other] = properties[name] | {"description": f"The same as `{name}`."}
        if name in required:
            required.remove(name)
            needed.append({"anyOf": [{"required": [one]} for one in (name, *others)]})
    named = [name for name in properties if name in required]
    return schema | {"properties": properties, "required": named, "allOf": needed}


def _tidy(schema: Any) -> Any:
    """A schema without titles and null defaults; a number may be sent as text or as a number."""
    if isinstance(schema, list):
        return [_tidy(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    tidy = {
        name: _tidy(value)
        for name, value in schema.items()
        if name != "title" and not (name == "default" and value is None) and value != []
    }
    if schema.get("format") == "decimal" and "pattern" not in schema:
        tidy["type"] = ["string", "number"]
    if "$ref" in tidy:
        tidy.pop("type", None)
    return tidy
