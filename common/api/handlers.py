"""Django's handlers of what no view answered: JSON for programs, the usual page for people.

To be named `handler400`, `handler403`, `handler404` and `handler500` in the root URL module.
"""

import sys

from django.http import HttpRequest, HttpResponseBase
from django.views import defaults

from common import errors
from common.api.problems import (
    as_exchange_error,
    problem_headers,
    problem_response,
    wants_page,
)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """400: a host that is not ours, a suspicious upload."""
    if wants_page(request):
        return defaults.bad_request(request, exception)
    return problem_response(as_exchange_error(exception) or errors.MalformedRequest(), request)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """403 outside DRF."""
    if wants_page(request):
        return defaults.permission_denied(request, exception)
    return problem_response(errors.PermissionDenied(), request)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """404: an address that nothing answers."""
    if wants_page(request):
        return defaults.page_not_found(request, exception)
    return problem_response(errors.NotFound(), request)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """500 outside DRF; Django has logged it. A database that is away is a 503 here too."""
    error = sys.exc_info()[1]
    meaning = as_exchange_error(error) if isinstance(error, Exception) else None
    if not wants_page(request):
        return problem_response(meaning or errors.InternalError(), request)
    page = defaults.server_error(request)
    if isinstance(meaning, errors.VenueUnavailable):
        page.status_code = meaning.status
        for name, value in problem_headers(meaning).items():
            page[name] = value
    return page
