"""Addresses of the risk desk, under `/risk/`."""

from django.urls import path

from exchange_project.risk.account import account_page
from exchange_project.risk.calls import margin_calls_page
from exchange_project.risk.exposure import exposure_page
from exchange_project.risk.freezing import freeze_page
from exchange_project.risk.funding import funding_page
from exchange_project.risk.insurance import insurance_page
from exchange_project.risk.liquidations import liquidation_page, liquidations_page
from exchange_project.risk.report import report_page
from exchange_project.risk.stress import stress_page

app_name = "risk"

urlpatterns = [
    path("", report_page, name="report"),
    path("accounts/<int:account_id>/", account_page, name="account"),
    path("exposure/", exposure_page, name="exposure"),
    path("funding/", funding_page, name="funding"),
    path("accounts/<int:account_id>/freeze/<str:asset>/", freeze_page, name="freeze"),
    path("margin-calls/", margin_calls_page, name="margin_calls"),
    path("liquidations/", liquidations_page, name="liquidations"),
    path("liquidations/<uuid:liquidation_id>/", liquidation_page, name="liquidation"),
    path("stress/", stress_page, name="stress"),
    path("insurance/", insurance_page, name="insurance"),
]
