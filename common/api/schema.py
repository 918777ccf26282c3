"""What every operation's description in the OpenAPI document needs: the problem document."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, inline_serializer
from rest_framework import serializers

from common.api.openapi import parameters_of
from common.api.pagination import PageQuery
from common.api.problems import CONTENT_TYPE

_TEXTS = {
    400: "The request is not well-formed",
    401: "No key, or a wrong one",
    403: "The key may not do this",
    404: "There is no such thing",
    411: "The body has no Content-Length",
    409: "It conflicts with what is there",
    413: "More than 1 MiB",
    415: "The body is not JSON",
    422: "Some fields are not valid, or the request was refused; `code` says why",
    429: "Too many requests; see Retry-After",
    503: "Busy or not available; nothing was done; see Retry-After",
    504: "The outcome is not known yet",
}


class ProblemField(serializers.Serializer):
    field = serializers.CharField(help_text="Dotted path; empty for the whole body.")
    code = serializers.CharField()
    detail = serializers.CharField()


class Problem(serializers.Serializer):
    """RFC 9457, with the facts of a refusal (`required`, `available`, …) as further members."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField(help_text="Stable; listed in the documentation.")
    request_id = serializers.CharField()
    errors = ProblemField(many=True, required=False)  # type: ignore[assignment]


# What any operation may answer: a header that came twice, a query string or a path that is not
# valid, a caller who sends too much, a database that is away.
_ANY_OPERATION = (400, 422, 429, 503)
# What one that writes may answer too: an answer that was lost on its way is a 504. And one that
# may have a body, one for a caller with a key, one that takes an Idempotency-Key.
_ANY_WRITE = (413, 504)
_ANY_BODY = (411, 415)
_ANY_CALLER = (401, 403)
_ANY_KEYED = (409,)
# What the venue may refuse before a view, of whichever dialect, sees the request.
_BEFORE_ANY_VIEW = (400, 411, 413, 429, 503, 504)
_PROBLEM = {"schema": {"$ref": "#/components/schemas/Problem"}}
_READING, _WITH_BODY = ("get", "head", "options"), ("post", "put", "patch")


def problems(*statuses: int) -> dict[tuple[int, str], OpenApiResponse]:
    """Responses of these statuses and of those that any operation has, for `extend_schema`."""
    every = {*statuses, *_ANY_OPERATION}
    return {
        (status, CONTENT_TYPE): OpenApiResponse(Problem, _TEXTS[status]) for status in sorted(every)
    }


def usual_refusals(method: str, operation: Mapping[str, Any]) -> set[int]:
    """The statuses that an operation of the document may answer with, by what it is."""
    statuses = {*_ANY_OPERATION}
    if method not in _READING:
        statuses |= {*_ANY_WRITE}
    if method in _WITH_BODY:
        statuses |= {*_ANY_BODY}
    if operation.get("security"):
        statuses |= {*_ANY_CALLER}
    if any(one["name"] == IDEMPOTENCY_KEY.name for one in operation.get("parameters", ())):
        statuses |= {*_ANY_KEYED}
    return statuses


def describe_usual_refusals(result: Any, **_: Any) -> Any:
    """Add to each operation the refusals that it may answer with and does not name itself.

    A hook of drf-spectacular. A refusal is written as the operation's 422 is, and where no view
    has seen the request, as a problem document. A probe, which has no 422, is left as it is.
    """
    for operations in result["paths"].values():
        for method, operation in operations.items():
            responses = operation["responses"]
            if "422" not in responses:
                continue
            for status in usual_refusals(method, operation):
                content = deepcopy(responses["422"]["content"])
                described = {"content": content, "description": _TEXTS[status]}
                described = responses.setdefault(str(status), described)
                if status in _BEFORE_ANY_VIEW:
                    described["content"].setdefault(CONTENT_TYPE, deepcopy(_PROBLEM))
            operation["responses"] = dict(sorted(responses.items()))
    return result


def amount_field(help_text: str = "", **options: Any) -> serializers.DecimalField:
    """A decimal string, with as many digits as the database keeps."""
    return serializers.DecimalField(
        max_digits=38, decimal_places=8, help_text=help_text or None, **options
    )


def page_of(row: type[serializers.Serializer]) -> serializers.Serializer:
    """A cursor page of `row`s, as `common.api.pagination` answers it."""
    return inline_serializer(
        f"{row.__name__}Page",
        {
            "next": serializers.URLField(allow_null=True),
            "previous": serializers.URLField(allow_null=True),
            "results": row(many=True),
        },
    )


PAGING = tuple(parameters_of(PageQuery))
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The same key with the same body gets the first answer again.",
)
IDEMPOTENCY_KEY_ONCE = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The same key with the same body does nothing again: 409 `answer_not_kept`, since "
    "the answer holds a secret, which the venue does not keep.",
)
_UNKEYED = "No `Idempotency-Key`: "


def unkeyed(reason: str, about: str = "") -> str:
    """The description of an operation that writes and takes no Idempotency-Key; says why not."""
    return f"{about} {_UNKEYED}{reason}".strip()


def is_unkeyed(description: str) -> bool:
    """Whether a description says why an operation takes no Idempotency-Key."""
    return _UNKEYED in description
