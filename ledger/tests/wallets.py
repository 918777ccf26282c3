"""Wallets and transfers for tests: short ways to ask, and a picture of what nobody may change."""

from decimal import Decimal
from typing import Any

from brokers.models import TradingAccount
from brokers.types import Principal
from common.ids import new_uuid
from ledger.models import JournalEntry, LedgerAccount, Posting, Transfer
from ledger.services.transfers.making import make_transfer
from ledger.services.transfers.orders import TransferOrder, TransferOutcome
from ledger.services.wallets import open_wallet
from ledger.tests.factories import fund, make_account


def make_wallet(
    amount: str = "0", currency: str = "USD", account: TradingAccount | None = None, **options: Any
) -> LedgerAccount:
    """A wallet, of an account of its own unless one is given, with money in it."""
    account = account or make_account(**options)
    wallet = open_wallet(account_id=account.id, currency=currency)
    if Decimal(amount):
        fund(account, amount, currency)
    return LedgerAccount.objects.select_related("trading_account").get(id=wallet.id)


def principal_of(wallet: LedgerAccount, *, is_bound: bool = True) -> Principal:
    """The owner's key: bound to the account, or of its broker."""
    account = wallet.trading_account
    assert account is not None
    return Principal(
        key_id=new_uuid(),
        broker_id=account.broker_id,
        broker_name="Broker",
        account_id=account.id if is_bound else None,
        scopes=frozenset({"read", "transfer"}),
    )


def order(
    source: LedgerAccount,
    destination: LedgerAccount | None,
    amount: str | Decimal = "1",
    **fields: Any,
) -> TransferOrder:
    """A transfer that the owner of `source` asks for."""
    account = source.trading_account
    assert account is not None
    given: dict[str, Any] = {
        "id": new_uuid(),
        "broker_id": account.broker_id,
        "account_id": account.id,
        "actor": "test",
        "source_id": source.id,
        "destination_id": None if destination is None else destination.id,
        "amount": Decimal(amount),
    }
    return TransferOrder(**(given | fields))


def send(
    source: LedgerAccount,
    destination: LedgerAccount | None,
    amount: str | Decimal = "1",
    **fields: Any,
) -> TransferOutcome:
    """Make one transfer."""
    return make_transfer(order=order(source, destination, amount, **fields))


def pend(
    source: LedgerAccount, destination: LedgerAccount, amount: str = "1", *, is_due: bool = False
) -> Transfer:
    """A pending transfer of a minute, or one whose time is over at once."""
    outcome = send(source, destination, amount, timeout_seconds=0 if is_due else 60)
    assert outcome.transfer is not None and outcome.error is None
    return Transfer.objects.get(id=outcome.transfer.id)


def code_of(outcome: TransferOutcome) -> str:
    """Why it was refused; empty where it was not."""
    return "" if outcome.error is None else outcome.error.code


def picture() -> dict[int, tuple[Decimal, Decimal, int]]:
    """Balance, hold and version of every ledger account."""
    rows = LedgerAccount.objects.values_list("id", "posted_balance", "held_amount", "version")
    return {id: (posted, held, version) for id, posted, held, version in rows}


def counts() -> tuple[int, int, int]:
    """How many entries, postings and transfers there are."""
    return JournalEntry.objects.count(), Posting.objects.count(), Transfer.objects.count()


def balances(*wallets: LedgerAccount) -> list[tuple[Decimal, Decimal]]:
    """Posted and held of each, as they are now."""
    stored = picture()
    return [stored[wallet.id][:2] for wallet in wallets]


def check_books() -> None:
    """Assert what must hold of all books at any time."""
    for row in LedgerAccount.objects.all():
        lines = list(Posting.objects.filter(ledger_account=row).order_by("account_version"))
        assert [line.account_version for line in lines] == list(range(1, row.version + 1))
        assert sum((line.amount for line in lines), Decimal(0)) == row.posted_balance
        pending = Transfer.objects.filter(source=row, status="PENDING")
        assert sum((one.amount for one in pending), Decimal(0)) == row.held_amount
    assert sum((row.posted_balance for row in LedgerAccount.objects.all()), Decimal(0)) == 0
