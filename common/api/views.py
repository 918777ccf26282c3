"""The base of the views under `/api/v1/`."""

from typing import Any

from rest_framework.request import Request
from rest_framework.views import APIView

from common.api.fields import FieldReader


class ApiView(APIView):
    """A view that refuses what it does not know of a query string.

    A method whose operation declares a query string (`common.api.openapi.operation`) reads it with
    a `FieldReader`, which refuses what is unknown along with what is wrong. Any other method takes
    no query string at all.
    """

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Check the caller, then the query string of a method that declares none."""
        super().initial(request, *args, **kwargs)
        method = getattr(self, (request.method or "").lower(), None)
        if not getattr(method, "query", ()):
            FieldReader.of_query(request.query_params).finish()
