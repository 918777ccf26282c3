"""An insurance fund below zero is told."""

from decimal import Decimal as D

import pytest

from common.ids import new_uuid
from ledger.models import Alert
from ledger.services import post_entry
from ledger.types import AccountKind, EntryKind, Line, VenueAccount
from marketdata.models import Asset
from orders.services import fund


@pytest.mark.django_db
def test_an_overdrawn_fund_is_an_alert_until_it_is_filled() -> None:
    usdt = Asset.objects.create(code="USDT", kind="CRYPTO", scale=6)
    assert fund.watch_fund() == 0
    _book(usdt, D("-7.5"))
    assert fund.watch_fund() == 1
    alert = Alert.objects.get(kind=fund.FUND_OVERDRAWN)
    assert (alert.subject, alert.severity, alert.resolved_at) == ("USDT", "CRITICAL", None)
    assert "7.5 USDT below zero" in alert.message
    _book(usdt, D("7.5"))
    assert fund.watch_fund() == 0
    alert.refresh_from_db()
    assert alert.resolved_at is not None


def _book(asset: Asset, amount: D) -> None:
    post_entry(
        kind=EntryKind.DEPOSIT,
        source_kind="test",
        source_id=new_uuid(),
        lines=[
            Line(VenueAccount(AccountKind.TRANSIT, asset.id), -amount),
            Line(VenueAccount(AccountKind.INSURANCE, asset.id, 0), amount),
        ],
        actor="test",
    )
