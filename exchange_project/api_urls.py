"""`/api/v1/`: the product's API, put together from the apps.

Patterns are tried in their order, so the app that is asked most comes first.
"""

from django.urls import include, path

urlpatterns = [
    path("", include("orders.api.urls")),
    path("", include("brokers.api.urls")),
    path("", include("marketdata.api.urls")),
    path("", include("ledger.api.urls")),
    path("", include("margin.api.urls")),
]
