"""Funded accounts for tests, made through the services."""

from decimal import Decimal
from uuid import UUID

from brokers.models import Funding, TradingAccount
from brokers.services import create_account, register_broker
from common.ids import new_uuid
from ledger.models import ConversionRate, LedgerAccount
from ledger.selectors import find_balance
from ledger.services import create_conversion_rate, deposit, post_entry, withdraw
from ledger.types import AccountKind, ClientAccount, Entry, EntryKind, Line, VenueAccount
from marketdata.tests.factories import make_asset


def make_account(
    funding: str = Funding.PREFUNDED, credit_limit: Decimal | None = None
) -> TradingAccount:
    """An account at a broker of its own."""
    broker = register_broker(name="Broker").broker
    return create_account(
        broker_id=broker.id, document_number="1", funding=funding, credit_limit=credit_limit
    )


def fund(account: TradingAccount, amount: str, asset: str = "USD") -> Entry:
    """Deposit `amount` of an asset, which is made where it is missing."""
    make_asset(asset)
    return deposit(
        account_id=account.id,
        asset=asset,
        amount=Decimal(amount),
        source_id=new_uuid(),
        actor="test",
    )


def pay_out(account: TradingAccount, amount: str, source_id: UUID | None = None) -> None:
    """Withdraw dollars."""
    withdraw(
        account_id=account.id,
        asset="USD",
        amount=Decimal(amount),
        source_id=source_id or new_uuid(),
        actor="test",
    )


def spend_on_credit(account: TradingAccount, amount: str) -> None:
    """A purchase of `amount` dollars, by which the balance may go below zero, against transit."""
    usd = make_asset("USD").id
    post_entry(
        kind=EntryKind.TRADE,
        source_kind="trade",
        source_id=new_uuid(),
        lines=[
            Line(ClientAccount(account.id, usd, AccountKind.CASH), -Decimal(amount)),
            Line(VenueAccount(AccountKind.TRANSIT, usd), Decimal(amount)),
        ],
        actor="test",
    )


def balance_of(
    account: TradingAccount, asset: str = "USD", kind: AccountKind = AccountKind.CASH
) -> Decimal:
    """The posted balance of one ledger account, zero before it was first used."""
    balance = find_balance(account.id, asset, kind)
    return Decimal(0) if balance is None else balance.posted_balance


def wallet_of(account: TradingAccount, asset: str = "USD") -> LedgerAccount:
    """The account's wallet in a currency, as it stands."""
    return LedgerAccount.objects.get(trading_account=account, asset__code=asset, kind="CASH")


def make_rate(base: str, quote: str, rate: str, spread_rate: str = "0") -> ConversionRate:
    """A rate between two currencies, which are made where they are missing."""
    make_asset(base)
    make_asset(quote)
    return create_conversion_rate(
        base=base, quote=quote, rate=Decimal(rate), spread_rate=Decimal(spread_rate)
    )
