"""How the back office looks: Bourse's green and mark, on django-unfold."""

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static


def site_icon(request: HttpRequest) -> str:
    """The mark of the start page."""
    return static("exchange_project/mark.svg")


# Dark enough that white text on 600 can be read.
_GREENS = {
    "50": "oklch(98.2% .018 155.826)",
    "100": "oklch(96.2% .044 156.743)",
    "200": "oklch(92.5% .084 155.995)",
    "300": "oklch(79.2% .209 151.711)",
    "400": "oklch(72.3% .219 149.579)",
    "500": "oklch(62.7% .194 149.214)",
    "600": "oklch(52.7% .154 150.069)",
    "700": "oklch(44.8% .119 151.328)",
    "800": "oklch(39.3% .095 152.535)",
    "900": "oklch(33% .08 152.7)",
    "950": "oklch(26.6% .065 152.934)",
}

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Bourse",
    "SITE_HEADER": "Bourse",
    "SITE_SUBHEADER": "Back office",
    "SITE_ICON": site_icon,
    "COLORS": {"primary": _GREENS},
    "DASHBOARD_CALLBACK": "exchange_project.back_office.dashboard",
    "SIDEBAR": {"navigation": "exchange_project.back_office.sidebar"},
}
