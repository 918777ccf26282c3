"""Liquidations that happened, newest first."""

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render

from exchange_project.risk.access import risk_page


@risk_page
def liquidations_page(request: HttpRequest) -> HttpResponseBase:
    """The place of the history; the venue liquidates nobody yet, and the page says so."""
    return render(request, "risk/liquidations.html", {"title": "Liquidations"})
