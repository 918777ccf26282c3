"""Paths of instruments, below `/api/v1/`. What trades in them is in `orders.api.urls`."""

from django.urls import path

from marketdata.api import views

urlpatterns = [
    path("instruments", views.InstrumentsView.as_view()),
    path("instruments/<symbol:symbol>", views.InstrumentView.as_view()),
    path("instruments/<symbol:symbol>/candles", views.CandlesView.as_view()),
    path("price/<symbol:ticker>", views.PriceView.as_view()),
    path("time", views.TimeView.as_view()),
]
