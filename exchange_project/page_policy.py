"""The Content-Security-Policy header of pages; `settings/page_policy.py` says what is in it."""

from typing import Any

from csp.middleware import CSPMiddleware, PolicyParts
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

# What a browser shows as a document that can run scripts.
_PAGES = ("text/html", "application/xhtml+xml", "image/svg+xml", "text/xml", "application/xml")


class PagePolicyMiddleware(CSPMiddleware):
    """Sends the policy with pages. JSON and CSV go without: browsers do not run them."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        if not response.get("Content-Type", "").startswith(_PAGES):
            return response
        return super().process_response(request, response)

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        """The policy of a response: that of all pages, and what those at this path need."""
        parts = super().get_policy_parts(request, response, report_only)
        if not report_only and parts.update is None:
            parts.update = _added(request.path_info)
        return parts


def _added(path: str) -> dict[str, Any]:
    return next((more for start, more in settings.CSP_ADDED.items() if path.startswith(start)), {})
