"""The root paths of the classic dialect."""

from django.urls import path

from exchange_project.classic import views
from exchange_project.health import HealthView, LiveView, ReadyView

urlpatterns = [
    path("health", HealthView.as_view(), name="health"),
    path("readyz", ReadyView.as_view()),
    path("livez", LiveView.as_view()),
    path("register", views.RegisterView.as_view()),
    path("orders", views.OrdersView.as_view()),
    path("orders/<str:order_id>", views.OrderView.as_view()),
    path("orders/<str:order_id>/cancel", views.CancelView.as_view()),
    path("stocks/<symbol:symbol>/price", views.PriceView.as_view()),
    path("stocks/<symbol:symbol>/book", views.BookView.as_view()),
    path("balance", views.BalanceView.as_view()),
    path("debug/trade-count", views.TradeCountView.as_view()),
    path("debug/reset", views.ResetView.as_view()),
]
