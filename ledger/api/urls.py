"""Paths of balances and statements, below `/api/v1/`."""

from django.urls import path

from ledger.api import views

urlpatterns = [
    path("accounts/<int:account_id>/balances", views.BalancesView.as_view()),
    path("accounts/<int:account_id>/entries", views.EntriesView.as_view()),
    path("accounts/<int:account_id>/statement", views.StatementView.as_view()),
]
