"""Refusals of the classic dialect: `{"detail": …}`.

For what fails validation `detail` is a list of `{"loc", "msg", "type"}`, the form that clients of
the first version know, else a text. A known `order_id` stands beside it.
"""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request

from common.api.problems import problem_headers, translate_or_log
from common.api.renderers import encode_json
from common.errors import ExchangeError, shown_errors

# What the services call a field, where this dialect calls it otherwise.
_FIELD_NAMES = {"limit_price": "price"}
_PATH_FIELDS = ("order_id",)
_SHOWN_FACTS = ("order_id",)


def error_document(error: ExchangeError, where: str = "body") -> dict[str, Any]:
    """The body of a refusal; `where` says in what part of the request the fields were."""
    detail: Any = error.detail
    if error.errors:
        detail = [
            {
                "loc": [
                    "path" if one.field in _PATH_FIELDS else where,
                    _FIELD_NAMES.get(one.field, one.field),
                ],
                "msg": one.detail,
                "type": one.code,
            }
            for one in shown_errors(error)
        ]
    facts = {name: error.facts[name] for name in _SHOWN_FACTS if name in error.facts}
    return {"detail": detail, **facts}


def error_response(error: ExchangeError, request: HttpRequest) -> HttpResponse:
    """The answer to a refused request."""
    where = "query" if request.method == "GET" else "body"
    return HttpResponse(
        encode_json(error_document(error, where)),
        status=error.status,
        content_type="application/json",
        headers=problem_headers(error),
    )


def handle_exception(error: Exception, context: Mapping[str, Any]) -> HttpResponse:
    """DRF's exception handler for the views of this dialect."""
    request: Request = context["request"]
    plain_request = request._request
    return error_response(translate_or_log(error, plain_request), plain_request)
