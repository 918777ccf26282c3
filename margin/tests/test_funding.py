"""Premiums are sampled, intervals get their rates, and fixed payments are booked once."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest

from brokers.models import TradingAccount
from brokers.services.house import get_insurance_account_id
from common.ids import new_uuid
from ledger.errors import EntryNotReversible
from ledger.models import JournalEntry, LedgerAccount
from ledger.services import reverse_entry
from margin.errors import InsufficientFreeCollateral
from margin.models import Funding, FundingPayment, PremiumSample
from margin.selectors.funding import (
    find_due_interval,
    get_running_interval,
    sum_unbooked,
)
from margin.services.collateral import move_collateral
from margin.services.funding import (
    book_fundings,
    book_payments,
    finish_funding,
    record_premium,
)
from margin.tests.factories import (
    make_funding,
    make_margin_account,
    make_perpetual,
    make_premium_sample,
)
from marketdata.models import Instrument
from marketdata.selectors import get_instrument_spec
from orders.tests.dealing import at_once

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
LISTED_AT = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def hourly() -> Instrument:
    """A perpetual that is funded every hour: interest 0.01 %, cap 0.75 %."""
    return make_perpetual(funding_interval_seconds=3600)


def due(instrument: Instrument, now: datetime = NOON, listed_at: datetime = LISTED_AT) -> Any:
    spec = get_instrument_spec(instrument.symbol)
    return find_due_interval(spec, listed_at=listed_at, now=now)


def balance(kind: str, shard: int) -> D:
    row = LedgerAccount.objects.filter(kind=kind, shard=shard, trading_account=None).first()
    return D(0) if row is None else row.posted_balance


def collateral(account: TradingAccount) -> D:
    return LedgerAccount.objects.get(trading_account=account, kind="MARGIN").posted_balance


# --- samples --------------------------------------------------------------------------------------


def record(instrument: Instrument, at: datetime, bid: str | None, ask: str | None) -> bool:
    return record_premium(
        instrument_id=instrument.id,
        at=at,
        impact_bid=None if bid is None else D(bid),
        impact_ask=None if ask is None else D(ask),
        index_price=D(50_000),
    )


@pytest.mark.django_db
def test_a_premium_is_kept_under_its_minute(hourly: Instrument) -> None:
    assert record(hourly, NOON.replace(second=59, microsecond=1), "50050", "50060")

    kept = PremiumSample.objects.get()
    assert (kept.at, kept.premium_rate) == (NOON, D("0.001"))
    assert (kept.impact_bid, kept.impact_ask, kept.index_price) == (50_050, 50_060, 50_000)


@pytest.mark.django_db
def test_a_minute_has_one_sample(hourly: Instrument) -> None:
    assert record(hourly, NOON, "50040", "50060")
    assert not record(hourly, NOON.replace(second=30), "60000", "60001")
    assert PremiumSample.objects.get().impact_bid == 50_040


@pytest.mark.django_db
@pytest.mark.parametrize(("bid", "ask"), [(None, "50060"), ("50040", None), (None, None)])
def test_half_a_book_has_no_premium(hourly: Instrument, bid: str | None, ask: str | None) -> None:
    assert not record(hourly, NOON, bid, ask)
    assert not PremiumSample.objects.exists()


# --- intervals and rates --------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("premiums", "rate"),
    [
        # Near the interest rate it is the interest rate: premium + clamp(0.01 % − premium, 0.05 %).
        (["0"], "0.0001"),
        (["0.0006"], "0.0001"),
        (["-0.0004"], "0.0001"),
        # Beyond, the premium less (plus) the damping.
        (["0.0007"], "0.0002"),
        (["0.001", "0.003"], "0.0015"),
        (["-0.001", "-0.003"], "-0.0015"),
        # And never more than the cap.
        (["0.2"], "0.0075"),
        (["-0.2"], "-0.0075"),
        ([], "0"),
    ],
)
def test_the_rate_of_an_interval(hourly: Instrument, premiums: list[str], rate: str) -> None:
    for minute, premium in enumerate(premiums):
        make_premium_sample(hourly, NOON - HOUR + timedelta(minutes=minute), premium)

    interval = due(hourly)

    assert (interval.since, interval.due_at) == (NOON - HOUR, NOON)
    assert (interval.rate, len(interval.samples)) == (D(rate), len(premiums))


@pytest.mark.django_db
def test_samples_count_in_their_interval_alone(hourly: Instrument) -> None:
    make_premium_sample(hourly, NOON - HOUR - timedelta(minutes=1), "0.2")
    make_premium_sample(hourly, NOON - HOUR, "0.001")
    make_premium_sample(hourly, NOON - timedelta(minutes=1), "0.003")
    make_premium_sample(hourly, NOON, "-0.2")
    make_premium_sample(make_perpetual("ETH-PERP"), NOON - HOUR, "0.2")

    assert due(hourly).rate == D("0.0015")
    running = get_running_interval(get_instrument_spec("BTC-PERP"), now=NOON + timedelta(seconds=1))
    assert (running.since, running.due_at) == (NOON, NOON + HOUR)
    assert (running.rate, [one.at for one in running.samples]) == (D("-0.0075"), [NOON])


@pytest.mark.django_db
def test_only_the_last_interval_is_made_up(hourly: Instrument) -> None:
    make_funding(hourly, NOON - 5 * HOUR)

    interval = due(hourly, NOON + timedelta(minutes=59))

    assert (interval.since, interval.due_at) == (NOON - HOUR, NOON)
    make_funding(hourly, NOON)
    assert due(hourly, NOON + timedelta(minutes=59)) is None
    assert due(hourly, NOON + HOUR).due_at == NOON + HOUR


@pytest.mark.django_db
def test_what_was_listed_later_owes_nothing(hourly: Instrument) -> None:
    assert due(hourly, listed_at=NOON) is None
    assert due(hourly, listed_at=NOON - timedelta(seconds=1)).due_at == NOON


@pytest.mark.django_db
def test_longer_intervals_cover_nothing_twice(hourly: Instrument) -> None:
    make_funding(hourly, NOON - HOUR)
    eight_hours = {"funding_interval_seconds": 28_800}
    Instrument.objects.filter(id=hourly.id).update(**eight_hours)

    # The interval from 0 to 8 ended before the last funding at 11.
    assert due(hourly) is None
    interval = due(hourly, NOON + 4 * HOUR)
    assert (interval.since, interval.due_at) == (NOON - HOUR, NOON + 4 * HOUR)


# --- booking --------------------------------------------------------------------------------------


@pytest.fixture
def funding(hourly: Instrument) -> Funding:
    """Two pay 1.000001 and 2, a third gets 3, and a millionth is left."""
    accounts = [make_margin_account("100", document=str(number)) for number in range(3)]
    payments = dict(zip(accounts, ("-1.000001", "-2", "3"), strict=True))
    return make_funding(hourly, NOON, payments)


def amounts(funding: Funding) -> list[D]:
    accounts = [payment.account for payment in funding.payments.order_by("account_id")]
    return [collateral(account) for account in accounts]


@pytest.mark.django_db
def test_every_payment_has_its_entry(funding: Funding) -> None:
    assert book_fundings() == 3

    assert amounts(funding) == [D("98.999999"), 98, 103]
    assert (balance("FUNDING", -1), balance("INSURANCE", 0)) == (0, D("0.000001"))
    for payment in funding.payments.all():
        assert payment.booked_at is not None
        entry = JournalEntry.objects.get(id=payment.entry_id)
        assert (entry.kind, entry.source_kind, entry.source_id) == ("FUNDING", "funding", entry.id)
        assert (entry.occurred_at, entry.actor) == (funding.fixed_at, "funding")
        assert entry.memo == "BTC-PERP until 2026-11-20 12:00 UTC"
        lines = {line.ledger_account.kind: line.amount for line in entry.postings.all()}
        assert lines == {"MARGIN": payment.amount, "FUNDING": -payment.amount}
    remainder = JournalEntry.objects.get(source_kind="funding_remainder")
    assert (remainder.kind, remainder.source_id) == ("FUNDING", funding.id)
    funding.refresh_from_db()
    assert funding.booked_at is not None


@pytest.mark.django_db
def test_booked_again_nothing_happens(funding: Funding) -> None:
    assert [book_fundings(), book_fundings()] == [3, 0]
    assert not finish_funding(funding_id=funding.id)
    assert amounts(funding) == [D("98.999999"), 98, 103]
    assert JournalEntry.objects.filter(kind="FUNDING").count() == 4


@pytest.mark.django_db
def test_what_was_interrupted_goes_on(funding: Funding) -> None:
    assert book_payments(funding=funding, fund_account_id=0, limit=1) == 1

    assert amounts(funding) == [D("98.999999"), 100, 100]
    assert balance("FUNDING", -1) == D("1.000001")
    assert not finish_funding(funding_id=funding.id)
    assert book_payments(funding=funding, fund_account_id=0, limit=2) == 2
    # All are booked, and the rest of it was not done before the end came.
    assert balance("FUNDING", -1) == D("0.000001")
    assert book_fundings() == 0
    assert (balance("FUNDING", -1), balance("INSURANCE", 0)) == (0, D("0.000001"))
    assert not Funding.objects.filter(booked_at__isnull=True).exists()


@pytest.mark.django_db
def test_the_insurance_fund_pays_and_gets_in_its_own_row() -> None:
    perpetual = make_perpetual(shard=3)
    fund = TradingAccount.objects.get(id=get_insurance_account_id())
    payer = make_margin_account("100")
    make_funding(perpetual, NOON, {payer: "-5.000001", fund: "5"})

    assert book_fundings() == 2

    assert balance("INSURANCE", 3) == D("5.000001")
    assert collateral(payer) == D("94.999999")
    assert not LedgerAccount.objects.filter(trading_account=fund).exists()
    make_funding(perpetual, NOON + HOUR, {payer: "7", fund: "-7"})
    book_fundings()
    assert balance("INSURANCE", 3) == D("-1.999999")


@pytest.mark.django_db
def test_a_payment_may_take_more_than_there_is(hourly: Instrument) -> None:
    poor, rich = make_margin_account("1", document="1"), make_margin_account("1", document="2")
    make_funding(hourly, NOON, {poor: "-5", rich: "5"})

    book_fundings()

    assert (collateral(poor), collateral(rich)) == (-4, 6)
    assert not LedgerAccount.objects.filter(kind="INSURANCE").exists()


@pytest.mark.django_db
def test_funding_is_not_reversed(funding: Funding) -> None:
    book_fundings()
    entry_id = FundingPayment.objects.filter(funding=funding)[0].entry_id
    with pytest.raises(EntryNotReversible):
        reverse_entry(entry_id=entry_id, reason="no", actor="test")


@pytest.mark.django_db(transaction=True)
def test_who_books_at_once_books_once(hourly: Instrument) -> None:
    accounts = [make_margin_account("100", document=str(number)) for number in range(40)]
    payments = {account: "-1" if n % 2 else "0.999999" for n, account in enumerate(accounts)}
    funding = make_funding(hourly, NOON, payments)
    fund_account_id = get_insurance_account_id()

    def book(_number: int) -> int:
        booked = 0
        waiting = funding.payments.filter(booked_at__isnull=True)
        while waiting.exists():
            booked += book_payments(funding=funding, fund_account_id=fund_account_id, limit=3)
        finish_funding(funding_id=funding.id)
        return booked

    assert sum(at_once(4, book)) == 40

    assert {collateral(account) for account in accounts} == {D(99), D("100.999999")}
    assert JournalEntry.objects.filter(kind="FUNDING").count() == 41
    assert (balance("FUNDING", -1), balance("INSURANCE", 0)) == (0, D("0.00002"))
    funding.refresh_from_db()
    assert funding.booked_at is not None


@pytest.mark.django_db(transaction=True)
def test_beats_that_meet_book_once(funding: Funding) -> None:
    assert sum(at_once(3, lambda _: book_fundings())) == 3
    assert amounts(funding) == [D("98.999999"), 98, 103]
    assert balance("INSURANCE", 0) == D("0.000001")


# --- collateral that a payment will take ----------------------------------------------------------


def take_out(account: TradingAccount, amount: str) -> None:
    move_collateral(
        account_id=account.id, asset="USDT", amount=-D(amount), source_id=new_uuid(), actor="test"
    )


@pytest.mark.django_db
def test_what_a_payment_will_take_is_not_free(funding: Funding) -> None:
    payer, receiver = (funding.payments.order_by("account_id")[index].account for index in (0, 2))
    with pytest.raises(InsufficientFreeCollateral) as refusal:
        take_out(payer, "99")
    assert refusal.value.facts == {"required": D(99), "available": D("98.999999")}
    # What is to come is not there yet.
    with pytest.raises(InsufficientFreeCollateral):
        take_out(receiver, "100.000001")
    assert amounts(funding) == [100, 100, 100]

    asset_id = funding.instrument.quote_asset_id
    assert sum_unbooked(payer.id, asset_id) == 100_000_100
    assert sum_unbooked(payer.id, asset_id + 1) == 0
    take_out(payer, "98.999999")
    book_fundings()

    assert sum_unbooked(payer.id, asset_id) == 0
    assert amounts(funding) == [0, 98, 103]
