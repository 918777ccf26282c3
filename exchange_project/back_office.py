"""The back office's sidebar and first page: all lists, the reports, and what needs a look."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

from exchange_project.risk.access import may_see_risk
from ledger.admin.trial_balance import PERMISSION, TITLE
from ledger.selectors import get_open_alerts


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """The lists that the member of staff may see, by app; reports come first in theirs."""
    return [
        {
            "title": app["name"],
            "items": [*_reports(request, app["app_label"]), *map(_item, app["models"])],
        }
        for app in admin.site.get_app_list(request)
    ]


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The first page: how many alerts are open, the reports, and the risk desk, for whom may see
    them."""
    if request.user.has_perm("ledger.view_alert"):
        context["open_alerts"] = get_open_alerts()
    context["reports"] = _reports(request, "ledger")
    if may_see_risk(request):
        context["reports"].append({"title": "Risk desk", "link": reverse("risk:report")})
    return context


def _reports(request: HttpRequest, app_label: str) -> list[dict[str, str]]:
    if app_label != "ledger" or not request.user.has_perm(PERMISSION):
        return []
    return [{"title": TITLE, "link": reverse("trial_balance")}]


def _item(model: dict[str, Any]) -> dict[str, Any]:
    return {"title": model["name"], "link": model["admin_url"]}
