"""JSON answers: decimals as plain strings, instants in UTC with microseconds, never a float."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from common.api.declarations import Document
from common.money import plain

_encoder = msgspec.json.Encoder()


def encode_json(value: Any) -> bytes:
    """`value` as JSON: Decimal as a plain string, datetime as RFC 3339, UUID as a string.

    A `Document` is encoded as it is, since its amounts and instants are texts already.
    """
    return _encoder.encode(value if isinstance(value, Document) else _to_json(value))


def format_instant(instant: datetime) -> str:
    """`instant` as RFC 3339 in UTC: always microseconds, always `Z`, so that it sorts as text."""
    if instant.tzinfo is not UTC:
        instant = instant.astimezone(UTC)
    return instant.isoformat(timespec="microseconds")[:-6] + "Z"


def instant_or_none(instant: datetime | None) -> str | None:
    """`format_instant`, or None."""
    return None if instant is None else format_instant(instant)


def _to_json(value: Any) -> Any:
    """`value` with what msgspec would write differently replaced; the most frequent types first."""
    kind = type(value)
    if kind is str or kind is int or value is None or kind is bool:
        return value
    if kind is Decimal:
        return plain(value)
    if kind is dict:
        return {name: _to_json(member) for name, member in value.items()}
    if kind is list or kind is tuple:
        return [_to_json(member) for member in value]
    if isinstance(value, Document):
        return value
    if isinstance(value, datetime):
        return format_instant(value)
    if isinstance(value, str):  # a choice of a model, DRF's error text
        return str(value)
    if isinstance(value, Mapping):  # DRF's ReturnDict and the like
        return {name: _to_json(member) for name, member in value.items()}
    if isinstance(value, Sequence):
        return [_to_json(member) for member in value]
    return value


class JsonRenderer(BaseRenderer):
    """`encode_json` for DRF."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        return b"" if data is None else encode_json(data)


class AlwaysJson(DefaultContentNegotiation):
    """Answers JSON whatever `Accept` says, unless a view offers a choice of renderers."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        """The parser of the media type; a body without one is taken for JSON. None: 415."""
        if not request.content_type:
            return next(iter(parsers))
        return super().select_parser(request, parsers)

    def select_renderer(
        self,
        request: Request,
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        """The only renderer of the view, else DRF's choice."""
        first, *others = renderers
        if not others:
            return first, first.media_type
        return super().select_renderer(request, renderers, format_suffix)
