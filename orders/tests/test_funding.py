"""The clock lets premiums be sampled and fundings be fixed: each once, whoever asks how often."""

from datetime import timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from django.utils import timezone

from brokers.models import TradingAccount
from brokers.services import create_account
from common.ids import new_uuid
from common.instants import floor_instant
from ledger.models import LedgerAccount
from ledger.tests.factories import fund
from margin.models import Funding, FundingPayment, PremiumSample
from margin.services.collateral import move_collateral
from margin.tasks import book_fundings
from margin.tests.factories import make_premium_sample
from margin.tests.world import make_perpetual, make_trader, order, set_mark
from marketdata.models import Instrument, MarkPrice
from marketdata.tests.factories import make_instrument
from orders.services.funding import fix_due_fundings, funding_id, sample_premiums
from orders.tasks import fix_fundings
from orders.tests.dealing import api_of, at_once
from orders.tests.fixtures import Api

HOUR = timedelta(hours=1)


@pytest.fixture
def api(engine: object) -> Api:
    """A perpetual with a mark, funded every hour, that was listed long ago."""
    spec = make_perpetual(funding_interval_seconds=3600)
    set_mark(50_000)
    Instrument.objects.filter(id=spec.id).update(created_at=timezone.now() - timedelta(days=9))
    return make_trader("Long", collateral=100_000)[1]


@pytest.fixture
def traded(api: Api) -> Api:
    """A position of 0.1 on either side."""
    _, counter = make_trader("Short", collateral=100_000)
    assert counter.post("orders", order("SELL", 50_000, "0.1")).status_code == 201
    assert api.post("orders", order("BUY", 50_000, "0.1")).json()["status"] == "FILLED"
    return api


@pytest.fixture
def indexed(prices: dict[str, str]) -> None:
    """The underlying pair is listed and costs 50,000."""
    prices["BTC-USDT"] = "50000"
    make_instrument("BTC-USDT", base="BTC", quote="USDT", kind="SPOT", lot_size=D("0.0001"))


def premium(at: Any, rate: str = "0.0007") -> None:
    make_premium_sample(Instrument.objects.get(symbol="BTC-PERP"), at, rate)


def quote(api: Api, *, bid: int, ask: int) -> None:
    """An order of 0.1 on each side, worth more than an impact price averages over."""
    for side, price in (("BUY", bid), ("SELL", ask)):
        assert api.post("orders", order(side, price, "0.1")).json()["status"] == "OPEN"


def collaterals() -> list[D]:
    rows = LedgerAccount.objects.filter(kind="MARGIN").order_by("-posted_balance")
    return [row.posted_balance for row in rows]


# --- samples --------------------------------------------------------------------------------------


def test_the_book_is_compared_with_the_index(api: Api, indexed: None) -> None:
    now = timezone.now()
    _, other = make_trader("Other", collateral=100_000)
    quote(other, bid=50_100, ask=50_150)
    api.post("orders", order("BUY", 50_100, "0.1"))
    assert sample_premiums(now=now) == 0
    api.post("orders", order("SELL", 50_150, "0.1"))

    assert [sample_premiums(now=now) for _ in range(2)] == [1, 0]

    sample = PremiumSample.objects.get()
    assert sample.at == now.replace(second=0, microsecond=0)
    assert (sample.premium_rate, sample.index_price) == (D("0.002"), 50_000)
    assert (sample.impact_bid, sample.impact_ask) == (50_100, 50_150)


def test_one_party_makes_no_premium(api: Api, indexed: None) -> None:
    """Neither an account nor several of one broker, however much they offer."""
    quote(api, bid=60_000, ask=61_000)
    account = TradingAccount.objects.get(broker__name="Long")
    second = create_account(broker_id=account.broker_id, document_number="2", funding="PREFUNDED")
    fund(second, "100000", "USDT")
    move_collateral(
        account_id=second.id, asset="USDT", amount=D(100_000), source_id=new_uuid(), actor="test"
    )
    quote(Api(api_of(second).key, "/api/v1/"), bid=60_000, ask=61_000)

    assert sample_premiums(now=timezone.now()) == 0
    assert not PremiumSample.objects.exists()


def test_without_an_index_there_is_no_premium(api: Api) -> None:
    _, other = make_trader("Other", collateral=100_000)
    for one in (api, other):
        quote(one, bid=50_050, ask=50_150)
    assert sample_premiums(now=timezone.now()) == 0


def test_what_does_not_trade_is_not_sampled(api: Api, indexed: None) -> None:
    _, other = make_trader("Other", collateral=100_000)
    for one in (api, other):
        quote(one, bid=50_050, ask=50_150)
    Instrument.objects.filter(symbol="BTC-PERP").update(state="HALTED")
    assert sample_premiums(now=timezone.now()) == 0


# --- fundings -------------------------------------------------------------------------------------


def test_the_last_interval_is_funded_once(traded: Api) -> None:
    now = timezone.now()
    due_at = floor_instant(now, HOUR)
    premium(due_at - timedelta(minutes=1))
    premium(due_at, "0.2")

    assert [fix_due_fundings(now=now) for _ in range(3)] == [1, 0, 0]

    funding = Funding.objects.get()
    assert (funding.id, funding.due_at) == (funding_id(funding.instrument_id, due_at), due_at)
    assert (funding.rate, funding.sample_count) == (D("0.0002"), 1)
    assert sorted(row.amount for row in FundingPayment.objects.all()) == [-1, 1]
    assert collaterals() == [100_000, 100_000]
    # Whoever fixed it was killed: another beat books.
    assert [book_fundings(), book_fundings()] == [2, 0]
    assert collaterals() == [100_001, 99_999]


def test_beats_that_meet_fund_once(traded: Api) -> None:
    now = timezone.now()
    premium(floor_instant(now, HOUR) - timedelta(minutes=1))

    # Each one may learn that it was done.
    assert sum(at_once(3, lambda _: fix_due_fundings(now=now))) >= 1
    at_once(3, lambda _: fix_fundings())

    assert Funding.objects.count() == 1
    assert FundingPayment.objects.count() == 2
    book_fundings()
    assert collaterals() == [100_001, 99_999]


def test_a_night_without_a_venue_is_one_funding(traded: Api) -> None:
    now = timezone.now()
    due_at = floor_instant(now, HOUR)
    for hours in (9, 8):
        premium(due_at - timedelta(hours=hours) + timedelta(minutes=1))
    assert fix_due_fundings(now=now - 8 * HOUR) == 1

    assert fix_due_fundings(now=now) == 1

    dates = list(Funding.objects.order_by("due_at").values_list("due_at", "rate", "sample_count"))
    assert dates == [(due_at - 8 * HOUR, D("0.0002"), 1), (due_at, 0, 0)]


def test_no_funding_on_a_stale_mark(traded: Api) -> None:
    now = timezone.now()
    MarkPrice.objects.update(as_of=now - timedelta(hours=2))
    assert fix_due_fundings(now=now) == 0
    assert not Funding.objects.exists()
    set_mark(51_000)
    assert fix_due_fundings(now=now) == 1
    assert Funding.objects.get().mark_price == 51_000


def test_a_new_perpetual_is_funded_from_its_first_interval_on(api: Api) -> None:
    now = timezone.now()
    due_at = floor_instant(now, HOUR)
    perpetuals = Instrument.objects.filter(symbol="BTC-PERP")
    perpetuals.update(created_at=due_at)
    assert fix_due_fundings(now=now) == 0
    assert not Funding.objects.exists()
    perpetuals.update(created_at=due_at - timedelta(seconds=1))
    assert fix_due_fundings(now=now) == 1


def test_without_an_engine_the_funding_waits(
    transactional_db: None, valkey: object, caplog: pytest.LogCaptureFixture
) -> None:
    spec = make_perpetual(funding_interval_seconds=3600)
    now = timezone.now()
    Instrument.objects.filter(id=spec.id).update(created_at=now - timedelta(days=9))
    MarkPrice.objects.create(
        instrument_id=spec.id, price=1, source="POSTED", as_of=now, posted_at=now, actor="test"
    )

    assert fix_due_fundings(now=now) == 0

    assert "The funding of BTC-PERP waits" in caplog.text
    assert not Funding.objects.exists()
