"""Assets and instruments in the back office: rules at their fields, fixed once saved."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from brokers.models import User
from common.errors import ValidationFailed
from marketdata.models import Asset, Instrument
from marketdata.selectors import get_instrument_spec
from marketdata.tests.factories import make_asset, make_instrument, make_perpetual
from oversight.admin.guarded import CONFIRMED, REASON
from oversight.models import ChangeRequest
from oversight.services.changes import approve_change

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("staff@example.com", "password"))
    return client


def form(**changes: Any) -> dict[str, Any]:
    values = {
        "symbol": "NEW",
        "name": "New",
        "kind": "EQUITY",
        "state": "CONTINUOUS",
        "base_asset": make_asset("NEW").pk,
        "quote_asset": make_asset("USD").pk,
        "tick_size": "0.01",
        "lot_size": "1",
        "price_rule": "SELLER",
        "maker_fee_rate": "0",
        "taker_fee_rate": "0",
    }
    return values | changes


def test_fees_take_two_persons_and_have_bounds(staff: Client) -> None:
    spec = make_instrument("ACME")
    path = f"/admin/marketdata/instrument/{spec.id}/change/"

    page = staff.post(path, form(taker_fee_rate="0.5"), follow=True)
    assert "taker_fee_rate is at least 0 and at most 0.05." in page.content.decode()
    assert not ChangeRequest.objects.exists()

    shown = staff.post(path, form(taker_fee_rate="0.002")).content.decode()
    assert "0.002" in shown and "Ask a second person" in shown
    staff.post(path, confirmed(taker_fee_rate="0.002", state="HALTED"))
    waiting = get_instrument_spec("ACME")
    assert (waiting.taker_fee_rate, waiting.state) == (0, "HALTED")
    approve_all()
    assert get_instrument_spec("ACME").taker_fee_rate == Decimal("0.002")


def errors_of(answer: Any) -> dict[str, list[str]]:
    return dict(answer.context["adminform"].form.errors)


def confirmed(**values: Any) -> dict[str, Any]:
    return form(**values) | {CONFIRMED: "yes", REASON: "as agreed"}


def approve_all() -> None:
    checker = User.objects.create_superuser("checker@example.com", "password")
    for change in ChangeRequest.objects.filter(status="REQUESTED"):
        approve_change(request_id=change.pk, user_id=checker.pk)


def test_two_persons_list_an_instrument(staff: Client) -> None:
    answer = staff.post("/admin/marketdata/instrument/add/", confirmed(min_quantity="5"))

    assert answer.status_code == 302
    assert not Instrument.objects.exists()
    approve_all()
    spec = get_instrument_spec("NEW")
    assert (spec.tick_size, spec.min_quantity) == (Decimal("0.01"), Decimal(5))


def test_steps_that_would_round_are_refused_at_their_field(staff: Client) -> None:
    answer = staff.post("/admin/marketdata/instrument/add/", form(tick_size="0.00001"))

    assert answer.status_code == 200
    assert errors_of(answer) == {
        "tick_size": [
            "Tick × lot = 0.00001 is no whole number of the quote asset's smallest unit 0.0001."
        ]
    }
    assert not Instrument.objects.exists()


def test_steps_and_assets_are_fixed_once_saved_and_limits_are_not(staff: Client) -> None:
    spec = make_instrument("ACME")
    path = f"/admin/marketdata/instrument/{spec.id}/change/"

    answer = staff.post(path, form(symbol="OTHER", tick_size="1", state="HALTED"))

    assert answer.status_code == 302
    changed = get_instrument_spec("ACME")
    assert (changed.tick_size, changed.state) == (Decimal("0.01"), "HALTED")
    answer = staff.post(path, form(taker_fee_rate="1"))
    assert errors_of(answer) == {"taker_fee_rate": ["From 0 to below 1."]}
    assert staff.get(f"/admin/marketdata/instrument/{spec.id}/delete/").status_code == 403


def test_staff_say_what_price_services_call_it(staff: Client) -> None:
    spec = make_instrument("PETR4")
    path = f"/admin/marketdata/instrument/{spec.id}/change/"
    assert b"price_symbol" in staff.get(path).content

    assert staff.post(path, form(price_symbol="PETR4.SA")).status_code == 302
    assert get_instrument_spec("PETR4").price_symbol == "PETR4.SA"
    for wrong in ("petr4.sa", "PETR4,VALE3", "A B", "ﬀ", "X" * 41):
        answer = staff.post(path, form(price_symbol=wrong))
        assert list(errors_of(answer)) == ["price_symbol"]
    assert get_instrument_spec("PETR4").price_symbol == "PETR4.SA"
    assert staff.post(path, form(price_symbol="")).status_code == 302
    assert get_instrument_spec("PETR4").price_symbol == ""


def test_a_perpetual_is_called_nothing_by_price_services() -> None:
    with pytest.raises(ValidationFailed) as refused:
        make_perpetual(price_symbol="BTC-USD")

    assert [(error.field, error.code) for error in refused.value.errors] == [
        ("price_symbol", "not_for_perpetual")
    ]
    assert not Instrument.objects.exists()


def test_assets_keep_their_scale(staff: Client) -> None:
    values = {"code": "CHF", "name": "Franc", "kind": "FIAT", "scale": "4"}
    assert staff.post("/admin/marketdata/asset/add/", values).status_code == 302
    asset = Asset.objects.get(code="CHF")

    path = f"/admin/marketdata/asset/{asset.pk}/change/"
    assert staff.post(path, {"name": "Swiss franc", "scale": "2"}).status_code == 302

    asset.refresh_from_db()
    assert (asset.name, asset.scale) == ("Swiss franc", 4)
    answer = staff.post("/admin/marketdata/asset/add/", values | {"code": "c h f"})
    assert list(errors_of(answer)) == ["code"]


def test_a_list_costs_the_same_however_long(
    staff: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        make_instrument(f"S{number}")

    for model in ("asset", "instrument"):
        with django_assert_max_num_queries(8):
            assert staff.get(f"/admin/marketdata/{model}/").status_code == 200
    assert b"S11" in staff.get("/admin/marketdata/instrument/?q=S11").content
