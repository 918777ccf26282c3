"""Paths of orders, fills and market data of the book, below `/api/v1/`."""

from django.urls import path

from orders.api import market_views, views

urlpatterns = [
    path("orders", views.OrdersView.as_view()),
    path("orders/test", views.TestOrderView.as_view()),
    path("orders/cancel-all", views.CancelAllView.as_view()),
    path("orders/by-client-id/<str:client_order_id>", views.OrderByClientIdView.as_view()),
    path("orders/<uuid:order_id>", views.OrderView.as_view()),
    path("orders/<uuid:order_id>/cancel", views.CancelView.as_view()),
    path("fills", views.FillsView.as_view()),
    path("balance", market_views.BalanceView.as_view()),
    path("instruments/<str:symbol>/book", market_views.BookView.as_view()),
    path("instruments/<str:symbol>/trades", market_views.TradesView.as_view()),
    path("instruments/<str:symbol>/ticker", market_views.TickerView.as_view()),
]
