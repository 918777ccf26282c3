"""Freezing an account, and the end of it: a form with a reason, for risk officers."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render

from brokers.models import TradingAccount
from common.errors import ExchangeError
from common.limits import LINE_LENGTH_MAX
from exchange_project.risk.access import officers_page
from margin.models import MarginAccount
from margin.services.freezing import (
    freeze_margin_account,
    unfreeze_margin_account,
)
from marketdata.models import Asset


class _ReasonForm(forms.Form):
    """Why; one line."""

    reason = forms.CharField(
        max_length=LINE_LENGTH_MAX, widget=forms.TextInput(attrs={"autofocus": True})
    )


@officers_page
def freeze_page(request: HttpRequest, account_id: int, asset: str) -> HttpResponseBase:
    """Ask whether an account's collateral is to be frozen (or un-frozen, where it is), and do it.

    Raises:
        Http404: there is no such account or asset.
    """
    account = get_object_or_404(TradingAccount.objects.select_related("broker"), id=account_id)
    if not Asset.objects.filter(code=asset).exists():
        raise Http404
    row = MarginAccount.objects.filter(account=account, asset__code=asset, is_frozen=True).first()
    form = _ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        is_wanted = request.POST.get("action") == "freeze"
        return _change(request, account_id, asset, form.cleaned_data["reason"], is_wanted)
    context = {
        "title": f"{'Un-freeze' if row else 'Freeze'} account {account.id} in {asset}?",
        "account": account,
        "asset": asset,
        "frozen": row,
        "form": form,
    }
    return render(request, "risk/freeze.html", context)


def _change(
    request: HttpRequest, account_id: int, asset: str, reason: str, is_frozen: bool
) -> HttpResponse:
    """What the officer has seen and pressed, whatever others did in between."""
    change: Any = freeze_margin_account if is_frozen else unfreeze_margin_account
    user_id = request.user.pk
    assert isinstance(user_id, UUID)
    try:
        change(account_id=account_id, asset=asset, reason=reason, actor=f"user:{user_id}")
    except ExchangeError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, f"{'Frozen' if is_frozen else 'Un-frozen'} in {asset}.")
    return redirect("risk:account", account_id)
