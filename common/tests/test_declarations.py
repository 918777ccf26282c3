"""Requests that are declared as Structs: how they are read, and what the document says of them."""

import timeit
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import msgspec
import pytest
from msgspec import Meta, field

from common.api.declarations import (
    Document,
    Moment,
    Number,
    PositiveNumber,
    Request,
    RowId,
    Symbol,
    also_named,
    one_of,
    page_of,
)
from common.api.fields import FieldReader
from common.api.openapi import parameters_of
from common.errors import ValidationFailed

_ID = UUID("019c5e1a-7b2c-7d3e-8f40-a1b2c3d4e5f6")


class Wanted(Request, frozen=True, kw_only=True):
    """A request with a field of every type."""

    account_id: RowId | None = None
    symbol: Annotated[Symbol, also_named("ticker"), Meta(description="In any case.")]
    side: Annotated[str, one_of("Side", ["BUY", "SELL"], any_case=True)]
    kind: Annotated[str, one_of("Kind", {"a": "ALPHA", "b": "BETA"})] = "ALPHA"
    note: Annotated[str, Meta(min_length=1, max_length=5)] | None = None
    price: Annotated[PositiveNumber | None, also_named("limit_price", "rate")] = None
    change: Number | None = None
    depth: Annotated[int, Meta(ge=1, le=50)] = 10
    until: Moment | None = None
    order_id: UUID | None = None
    force: bool = False
    derived: Annotated[str, Meta(max_length=5)] = field(default_factory=str)


def _read(body: dict[str, Any], **given: Any) -> Wanted:
    reader = FieldReader.of_body(body)
    wanted = reader.struct(Wanted, **given)
    reader.finish()
    return wanted


def _codes(body: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(ValidationFailed) as raised:
        _read(body)
    return [(error.field, error.code) for error in raised.value.errors]


def test_a_request_is_read_as_it_is_declared() -> None:
    assert _read({"symbol": "acme", "side": "buy"}) == Wanted(symbol="ACME", side="BUY")
    body = {
        "account_id": 7,
        "ticker": "acme",
        "side": "SELL",
        "kind": "b",
        "note": "é",
        "rate": "1e-05",
        "change": Decimal("-0.50"),
        "depth": 50,
        "until": "2030-01-01T01:00:00+01:00",
        "order_id": str(_ID),
        "force": True,
        "derived": "x",
    }
    assert _read(body) == Wanted(
        account_id=7,
        symbol="ACME",
        side="SELL",
        kind="BETA",
        note="é",
        price=Decimal("0.00001"),
        change=Decimal("-0.5"),
        depth=50,
        until=datetime(2030, 1, 1, tzinfo=UTC),
        order_id=_ID,
        force=True,
        derived="x",
    )


def test_null_is_the_same_as_left_out() -> None:
    body = dict.fromkeys(Wanted.__struct_fields__) | {"symbol": "A", "side": "BUY"}
    assert _read(body) == Wanted(symbol="A", side="BUY")
    assert _codes({"symbol": None, "side": "BUY"}) == [("symbol", "required")]


def test_every_wrong_field_is_named_at_once() -> None:
    body = {
        "account_id": "7",
        "side": "hold",
        "kind": "ALPHA",
        "note": "too long",
        "price": 0,
        "change": True,
        "depth": 51,
        "until": "2030-01-01",
        "order_id": "x",
        "force": "true",
        "other": 1,
    }
    assert _codes(body) == [
        ("account_id", "not_an_integer"),
        ("symbol", "required"),
        ("side", "invalid_choice"),
        ("kind", "invalid_choice"),
        ("note", "too_long"),
        ("price", "too_small"),
        ("change", "invalid_type"),
        ("depth", "out_of_range"),
        ("until", "zone_missing"),
        ("order_id", "invalid_uuid"),
        ("force", "invalid_type"),
        ("other", "unknown_field"),
    ]


def test_an_error_has_the_name_that_was_sent() -> None:
    assert _codes({"ticker": "", "side": "BUY", "rate": "x"}) == [
        ("ticker", "too_short"),
        ("rate", "not_a_number"),
    ]
    assert _codes({"symbol": "A", "ticker": "B", "side": "BUY"}) == [("ticker", "unknown_field")]
    assert _codes({"symbol": "A", "side": "BUY", "price": None, "rate": "1"}) == [
        ("rate", "unknown_field")
    ]


def test_wrong_fields_hold_harmless_values_until_the_errors_are_raised() -> None:
    reader = FieldReader.of_body({"account_id": "7", "price": "x"})
    wanted = reader.struct(Wanted)
    assert (wanted.account_id, wanted.symbol, wanted.price) == (0, "", Decimal(0))
    with pytest.raises(ValidationFailed):
        reader.finish()


def test_what_is_given_from_elsewhere_is_not_read() -> None:
    body = {"symbol": "A", "side": "BUY"}
    assert _read(body, account_id=5).account_id == 5
    with pytest.raises(ValidationFailed):
        _read(body | {"account_id": 6}, account_id=5)


def test_what_is_skipped_may_hold_anything() -> None:
    reader = FieldReader.of_body({"symbol": "A", "side": "BUY", "until": "soon"})
    reader.skip("until")
    assert reader.struct(Wanted).until is None
    reader.finish()


def test_a_query_string_is_text() -> None:
    query = {"symbol": "a", "side": "buy", "depth": "5", "force": "true", "account_id": ""}
    reader = FieldReader.of_query(query)
    assert reader.struct(Wanted) == Wanted(symbol="A", side="BUY", depth=5, force=True)
    reader.finish()


def test_a_type_that_no_request_has_is_a_bug_that_shows_at_once() -> None:
    class Floating(Request, frozen=True):
        rate: float

    with pytest.raises(KeyError):
        FieldReader.of_body({}).struct(Floating)


def test_reading_an_order_costs_little() -> None:
    body = {"ticker": "acme", "side": "BUY", "price": "10.50", "change": "5", "note": "x"}
    rounds = 2_000
    seconds = min(timeit.repeat(lambda: _read(body), number=rounds, repeat=5))
    assert seconds / rounds < 0.0001


def test_parameters_of_a_query_string() -> None:
    class Query(Request, frozen=True, kw_only=True):
        """A query."""

        side: Annotated[str, one_of("Side", ["BUY", "SELL"])] | None = None
        size: Annotated[int, Meta(ge=1, le=9, description="How many.")] = 5
        since: Moment

    side, size, since = parameters_of(Query, without=["none"])
    assert (side.name, side.type, side.required) == (
        "side",
        {"type": "string", "enum": ["BUY", "SELL"]},
        False,
    )
    assert (size.description, size.type) == (
        "How many.",
        {"type": "integer", "minimum": 1, "maximum": 9, "default": 5},
    )
    assert (since.type, since.required) == ({"type": "string", "format": "date-time"}, True)
    assert [one.name for one in parameters_of(Query, without=["size"])] == ["side", "since"]


def test_a_page_has_the_rows_of_its_kind() -> None:
    class Row(Document, frozen=True):
        id: int

    page = page_of(Row)
    assert page is page_of(Row)
    assert page.__name__ == "RowPage"
    (info,) = [one for one in msgspec.structs.fields(page) if one.name == "results"]
    assert info.type == list[Row]
