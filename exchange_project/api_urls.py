"""`/api/v1/`: the product's API, put together from the apps."""

from django.urls import include, path

urlpatterns = [
    path("", include("brokers.api.urls")),
    path("", include("marketdata.api.urls")),
    path("", include("ledger.api.urls")),
    path("", include("margin.api.urls")),
    path("", include("orders.api.urls")),
]
