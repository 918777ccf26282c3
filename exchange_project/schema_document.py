"""`/api/schema/`: the OpenAPI document, rendered once in each process."""

import hashlib
import threading
from typing import NamedTuple

from django.http import HttpResponse
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.utils.encoding import force_bytes
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularAPIView
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

# Another version of the venue may describe itself otherwise; the ETag makes asking again cheap.
_CACHE_CONTROL = "public, max-age=300"


class _Rendered(NamedTuple):
    body: bytes
    etag: str


_rendered: dict[type[BaseRenderer], _Rendered] = {}
# A document takes seconds: those who ask meanwhile wait for it instead of making another.
_rendering = threading.Lock()


class SchemaView(SpectacularAPIView):
    """The document as YAML or JSON. It is the same for everybody, so it needs no key."""

    def _get_schema_response(self, request: Request) -> HttpResponse:
        renderer = request.accepted_renderer
        document = _render(renderer)
        charset = f"; charset={renderer.charset}" if renderer.charset else ""
        response = HttpResponse(document.body, content_type=f"{renderer.media_type}{charset}")
        response["ETag"] = document.etag
        response["Cache-Control"] = _CACHE_CONTROL
        name = self._get_filename(request, "")
        response["Content-Disposition"] = f'inline; filename="{name}"'
        patch_vary_headers(response, ("Accept",))
        known = get_conditional_response(request, etag=document.etag, response=response)
        return known or response


def _render(renderer: BaseRenderer) -> _Rendered:
    kind = type(renderer)
    with _rendering:
        if kind not in _rendered:
            schema = SchemaGenerator().get_schema(request=None, public=True)
            body = force_bytes(renderer.render(schema, renderer_context={}))
            etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
            _rendered[kind] = _Rendered(body, etag)
        return _rendered[kind]
