"""Paths of positions and collateral, below `/api/v1/`."""

from django.urls import path

from margin.api.funding_views import FundingPaymentsView, FundingRatesView, FundingsView
from margin.api.history_views import LiquidationsView, LiquidationView, MarginCallsView
from margin.api.views import (
    CollateralView,
    FreezeView,
    MarginAccountView,
    MarginReportView,
    PositionsView,
    UnfreezeView,
)

urlpatterns = [
    path("positions/<int:account_id>", PositionsView.as_view()),
    path("margin/accounts/<int:account_id>", MarginAccountView.as_view()),
    path("margin/accounts/<int:account_id>/collateral", CollateralView.as_view()),
    path("margin/accounts/<int:account_id>/freeze", FreezeView.as_view()),
    path("margin/accounts/<int:account_id>/unfreeze", UnfreezeView.as_view()),
    path("margin-report", MarginReportView.as_view()),
    path("liquidations", LiquidationsView.as_view()),
    path("liquidations/<uuid:liquidation_id>", LiquidationView.as_view()),
    path("margin-calls", MarginCallsView.as_view()),
    path("funding", FundingsView.as_view()),
    path("funding-rates/<symbol:symbol>", FundingRatesView.as_view()),
    path("funding-payments", FundingPaymentsView.as_view()),
]
