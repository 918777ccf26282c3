"""Where each request goes: the classic dialect at the root, the product's API under `/api/v1/`."""

from django.contrib import admin
from django.urls import include, path, register_converter
from drf_spectacular.views import SpectacularRedocView, SpectacularSwaggerView

import brokers.api.security  # noqa: F401
from brokers.admin.logins import change_own_password
from common.api.paths import SymbolConverter
from exchange_project.schema_document import SchemaView
from exchange_project.start import start_page
from ledger.admin.trial_balance import trial_balance_page

handler400 = "common.api.handlers.bad_request"
handler403 = "common.api.handlers.permission_denied"
handler404 = "common.api.handlers.not_found"
handler500 = "common.api.handlers.server_error"

admin.autodiscover()

# Before the modules below are imported, which use it.
register_converter(SymbolConverter, "symbol")

urlpatterns = [
    path("", include("exchange_project.classic.urls")),
    path("api/v1/", include("exchange_project.api_urls")),
    path("", include("exchange_project.moved")),
    path("api/schema/", SchemaView.as_view(), name="schema"),
    path("docs", SpectacularSwaggerView.as_view(url_name="schema"), name="swagger"),
    path("redoc", SpectacularRedocView.as_view(url_name="schema"), name="redoc"),
    path(
        "admin/ledger/trial-balance/",
        admin.site.admin_view(trial_balance_page),
        name="trial_balance",
    ),
    path("admin/password_change/", admin.site.admin_view(change_own_password)),
    path("admin/", admin.site.urls),
    path("risk/", include("exchange_project.risk.urls")),
    path("", start_page, name="start"),
]
