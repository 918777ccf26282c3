"""Money for the demo's accounts, deposited once, and once more after a reset of the venue."""

from collections.abc import Iterator
from uuid import UUID, uuid5

from django.conf import settings

from brokers.models import TradingAccount
from exchange_project.demo.data import (
    BROKERS,
    INSURANCE,
    MARKS,
    VENUE,
    DemoAccount,
    DemoBroker,
    Deposit,
)
from ledger.services import deposit
from ledger.types import AccountKind
from margin.services.fund import deposit_to_fund
from marketdata.selectors import find_instrument_spec
from marketdata.services import set_first_mark

_NAMESPACE = UUID("6f0f64c4-5b0c-4e0d-9d7f-3f1f3c1f9a10")
ACTOR = "demo"


def fund_demo() -> int:
    """Deposit what accounts and insurance fund start with, set marks; how many deposits were new.

    The engine calls it after a reset (`settings.RESET_HOOK`). Accounts that were never loaded are
    left out, so that a venue without a demo stays empty.
    """
    if not settings.DEMO:
        return 0
    for symbol, price in MARKS:
        instrument = find_instrument_spec(symbol)
        if instrument is not None:
            set_first_mark(instrument=instrument, price=price, actor=ACTOR)
    return _fill_funds() + sum(
        _deposit_once(broker, account, account_id, money)
        for broker, account, account_id in _loaded_accounts()
        for money in account.deposits
    )


def _fill_funds() -> int:
    """Pay into the insurance fund what is not there yet; how many deposits were new."""
    count = 0
    for symbol, amount in INSURANCE:
        instrument = find_instrument_spec(symbol)
        if instrument is not None:
            entry = deposit_to_fund(
                asset=instrument.quote_asset,
                amount=amount,
                source_id=uuid5(_NAMESPACE, f"insurance/{symbol}/{amount}"),
                actor=ACTOR,
                memo="Demo",
            )
            count += entry.is_new
    return count


def _loaded_accounts() -> Iterator[tuple[DemoBroker, DemoAccount, int]]:
    names = [broker.name for broker in BROKERS]
    found = TradingAccount.objects.filter(
        broker__name__in=names, broker__is_self_registered=False
    ).exclude(status=TradingAccount.Status.CLOSED)
    ids = {
        (name, document): account_id
        for name, document, account_id in found.values_list("broker__name", "document_number", "id")
    }
    for broker in BROKERS:
        for account in broker.accounts:
            if (broker.name, account.document_number) in ids:
                yield broker, account, ids[broker.name, account.document_number]


def _deposit_once(
    broker: DemoBroker, account: DemoAccount, account_id: int, money: Deposit
) -> bool:
    asset = settings.VENUE_CURRENCY if money.asset == VENUE else money.asset
    source = f"{broker.name}/{account.document_number}/{asset}/{money.kind}/{money.amount}"
    entry = deposit(
        account_id=account_id,
        asset=asset,
        amount=money.amount,
        source_id=uuid5(_NAMESPACE, source),
        actor=ACTOR,
        memo="Demo",
        kind=None if money.kind is None else AccountKind(money.kind),
    )
    return entry.is_new
