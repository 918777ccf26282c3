"""Addresses of the risk desk, under `/risk/`."""

from django.urls import path

from exchange_project.risk.account import account_page
from exchange_project.risk.exposure import exposure_page
from exchange_project.risk.funding import funding_page
from exchange_project.risk.insurance import insurance_page
from exchange_project.risk.liquidations import liquidations_page
from exchange_project.risk.report import report_page
from exchange_project.risk.stress import stress_page

app_name = "risk"

urlpatterns = [
    path("", report_page, name="report"),
    path("accounts/<int:account_id>/", account_page, name="account"),
    path("exposure/", exposure_page, name="exposure"),
    path("funding/", funding_page, name="funding"),
    path("liquidations/", liquidations_page, name="liquidations"),
    path("stress/", stress_page, name="stress"),
    path("insurance/", insurance_page, name="insurance"),
]
