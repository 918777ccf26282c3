"""Paths of positions and collateral, below `/api/v1/`."""

from django.urls import path

from margin.api import views

urlpatterns = [
    path("positions/<int:account_id>", views.PositionsView.as_view()),
    path("margin/accounts/<int:account_id>", views.MarginAccountView.as_view()),
    path("margin/accounts/<int:account_id>/collateral", views.CollateralView.as_view()),
    path("margin-report", views.MarginReportView.as_view()),
]
