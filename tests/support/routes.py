"""The API's routes: every method of every view of the URLconf outside the pages of staff."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from django.urls import URLPattern, URLResolver, get_resolver

# Pages, and the document itself.
_NO_API = ("admin/", "risk/", "docs", "redoc", "api/schema/")
_METHODS = ("get", "post", "put", "patch", "delete")


class Route(NamedTuple):
    """A method of a view; `path` is as the OpenAPI document writes it."""

    method: str
    path: str
    view: type

    @property
    def name(self) -> str:
        """As `POST /api/v1/orders`."""
        return f"{self.method.upper()} {self.path}"


def list_routes() -> list[Route]:
    """All routes of the API, both dialects."""
    return [
        Route(method, _template(path), view)
        for path, view in _views(get_resolver().url_patterns, "")
        for method in _METHODS
        if hasattr(view, method)
    ]


def _views(patterns: Any, prefix: str) -> Iterator[tuple[str, type]]:
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if path.startswith(_NO_API):
            continue
        if isinstance(pattern, URLResolver):
            yield from _views(pattern.url_patterns, path)
        elif isinstance(pattern, URLPattern):
            view = getattr(pattern.callback, "cls", None)  # of a view of DRF's
            if view is not None:
                yield path, view


def _template(path: str) -> str:
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path)
