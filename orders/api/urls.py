"""Paths of orders, fills and market data of the book, below `/api/v1/`."""

from django.urls import path

from orders.api import dealer_views, mark_views, market_views, views, wallet_views

urlpatterns = [
    path("orders", views.OrdersView.as_view()),
    path("orders/test", views.TestOrderView.as_view()),
    path("orders/cancel-all", views.CancelAllView.as_view()),
    path("orders/by-client-id/<str:client_order_id>", views.OrderByClientIdView.as_view()),
    path("orders/<uuid:order_id>", views.OrderView.as_view()),
    path("orders/<uuid:order_id>/cancel", views.CancelView.as_view()),
    path("orders/<uuid:order_id>/execute", dealer_views.ExecuteView.as_view()),
    path("accounts/<int:account_id>/orders", dealer_views.AccountOrdersView.as_view()),
    path("accounts/<int:account_id>/balance", dealer_views.AccountBalanceView.as_view()),
    path("accounts/<int:account_id>/positions", dealer_views.PositionsView.as_view()),
    path("trade", dealer_views.TradeView.as_view()),
    path("trades/<int:account_id>", dealer_views.TradeHistoryView.as_view()),
    path("portfolio", dealer_views.PortfolioView.as_view()),
    path("fills", views.FillsView.as_view()),
    path("wallets/<int:wallet_id>/close", wallet_views.CloseWalletView.as_view()),
    path("balance", market_views.BalanceView.as_view()),
    path("mark-price", mark_views.PostMarkView.as_view()),
    path("instruments/<symbol:symbol>/mark", mark_views.MarkView.as_view()),
    path("instruments/<symbol:symbol>/book", market_views.BookView.as_view()),
    path("instruments/<symbol:symbol>/trades", market_views.TradesView.as_view()),
    path("instruments/<symbol:symbol>/ticker", market_views.TickerView.as_view()),
]
