"""Paths that other venues have at the root and this one has under `/api/v1/`.

A client that was written for them changes its base URL. One that has not done so yet is sent to the
right address: 308 keeps method and body, and the problem document says where for those that do not
follow it.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from common.api.problems import problem_response
from common.errors import MovedPermanently


@csrf_exempt
def moved(request: HttpRequest, **_: Any) -> HttpResponse:
    """308 to the same path under `/api/v1`, with the query string."""
    location = f"/api/v1{request.get_full_path()}"
    problem = problem_response(
        MovedPermanently(f"This is at {location}", location=location), request
    )
    response = HttpResponsePermanentRedirect(location, preserve_request=True)
    response["Content-Type"] = problem["Content-Type"]
    response.content = problem.content
    return response


urlpatterns = [
    path("accounts/<int:account_id>/orders", moved),
    path("orders/<str:order_id>/execute", moved),
    path("trade", moved),
    path("trades/<int:account_id>", moved),
    path("positions/<int:account_id>", moved),
    path("mark-price", moved),
    path("margin-report", moved),
    path("liquidations", moved),
]
