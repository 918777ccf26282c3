"""A small venue that random operations work on, and the journal as its callers were told it.

`told` is the oracle: each booked entry with its lines, as they follow from what the venue answered.
It is kept by the entry's id, so that what is booked twice, or by nobody, shows.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from brokers.models import Funding, TradingAccount
from brokers.tests.factories import UserFactory
from common.ids import new_uuid
from exchange_project.reconciliation import check_venue
from ledger.models import LedgerAccount, Posting
from ledger.services import deposit
from ledger.services.sealing import seal_entries
from ledger.services.transfers.orders import TransferOrder
from ledger.services.wallets import open_wallet
from ledger.tests.factories import make_rate
from ledger.types import Entry
from ledger.verification import verify_seals
from orders.commands import AnyCommand, PlaceOrder
from orders.matching.types import Side
from orders.models import Trade
from orders.tests.emptying import empty_tables
from orders.tests.engine.harness import Harness, make_account, make_venue

CURRENCIES = ("USD", "EUR")
CREDIT_LIMIT = Decimal(50)
_FUNDINGS = (Funding.PREFUNDED, Funding.PREFUNDED, Funding.PREFUNDED, Funding.CREDIT)
_START = {"USD": Decimal(100), "EUR": Decimal(50), "ACME": Decimal(20)}
_FEE_RATE = Decimal("0.003")

# Whose ledger account (a trading account's id, or the kind of the venue's) and the asset: how much.
Lines = Mapping[tuple[int | str, str], Decimal]


def net(lines: Iterable[tuple[int | str, str, Decimal]]) -> Lines:
    """The lines of an entry as they are booked: one for an account, none of zero."""
    totals: Counter[tuple[int | str, str]] = Counter()
    for owner, asset, amount in lines:
        totals[owner, asset] += amount  # type: ignore[assignment]
    return {key: Decimal(total) for key, total in totals.items() if total}


@dataclass
class World:
    """Four clients, two currencies, one share, an engine; what they did so far."""

    harness: Harness
    clients: list[TradingAccount]
    wallets: list[LedgerAccount]
    staff: list[UUID]
    told: dict[UUID, Lines] = field(default_factory=dict)
    pending: list[TransferOrder] = field(default_factory=list)
    quotes: list[UUID] = field(default_factory=list)
    requests: list[UUID] = field(default_factory=list)
    orders: list[PlaceOrder] = field(default_factory=list)
    # Each does a request once more, as it was, and asserts that the answer is the first one.
    repeats: list[Callable[[], None]] = field(default_factory=list)
    _engine_is_busy: threading.Lock = field(default_factory=threading.Lock)

    def book(self, entry_id: UUID, *lines: tuple[int | str, str, Decimal]) -> None:
        """Remember an entry that the venue said it has booked; told again it must be the same."""
        booked = net(lines)
        assert self.told.setdefault(entry_id, booked) == booked

    def book_against(
        self, entry_id: UUID, kind: str, wallet: LedgerAccount, amount: Decimal
    ) -> None:
        """Remember an entry between a wallet and an account of the venue."""
        asset = wallet.asset.code
        self.book(entry_id, (owner_of(wallet), asset, amount), (kind, asset, -amount))

    def book_reversal(self, entry_id: UUID, reversed_id: UUID) -> None:
        """Remember the reversal of an entry that was told before."""
        lines = self.told[reversed_id].items()
        self.book(entry_id, *((owner, asset, -amount) for (owner, asset), amount in lines))

    def deposit(
        self, client: TradingAccount, asset: str, amount: Decimal, source_id: UUID
    ) -> Entry:
        """Bring money or shares in, and remember it."""
        made = deposit(
            account_id=client.id, asset=asset, amount=amount, source_id=source_id, actor="test"
        )
        self.book(made.id, (client.id, asset, amount), ("TRANSIT", asset, -amount))
        return made

    def trade(self, commands: list[AnyCommand]) -> list[Any]:
        """Let the engine carry out commands as one batch, and remember the trades."""
        with self._engine_is_busy:
            outcomes = self.harness.carry_out(*commands)
        for one in Trade.objects.exclude(id__in=list(self.told)):
            buyer, seller = one.buy_account_id, one.sell_account_id
            assert buyer is not None and seller is not None
            self.book(
                one.id,
                (buyer, "USD", -one.notional - one.buy_fee),
                (seller, "USD", one.notional - one.sell_fee),
                ("FEES", "USD", one.buy_fee + one.sell_fee),
                (buyer, "ACME", one.quantity),
                (seller, "ACME", -one.quantity),
            )
        return outcomes

    def offer(self) -> None:
        """Let the client with credit bid and ask for ten shares, so that others find a match."""
        maker = self.clients[-1]
        for side, price in ((Side.BUY, 199), (Side.SELL, 201)):
            placed = self.harness.place_command(maker, side, 10, price)
            self.orders.append(placed)
            self.trade([placed])

    def check(self) -> None:
        """Assert all that must hold when nothing runs."""
        assert {one.name: one.shown for one in check_venue(shown_max=3) if one.shown} == {}
        assert journal() == self.told, "the journal is not what the callers were told"
        for row in LedgerAccount.objects.filter(trading_account__isnull=False):
            assert row.held_amount >= 0, f"{row} holds less than nothing"
            if row.overdraft_limit is not None:
                available = row.posted_balance - row.held_amount
                assert available >= -row.overdraft_limit, f"{row} is beyond its limit"

    def close(self) -> None:
        """Stop the engine; all that was booked can be sealed, and every seal is sound."""
        self.harness.stop()
        sealed = seal_entries(lag=timedelta(0), seconds_max=10)
        assert sealed.entry_count == len(self.told)
        assert [found for seal in verify_seals() for found in seal.findings] == []


def make_world() -> World:
    """The venue anew: each client has some of everything."""
    empty_tables()
    venue = make_venue(maker_fee_rate=_FEE_RATE, taker_fee_rate=_FEE_RATE)
    make_rate("USD", "EUR", "0.9137", spread_rate="0.002")
    clients = [make_account(funding, CREDIT_LIMIT) for funding in _FUNDINGS]
    ids = [
        open_wallet(account_id=client.id, currency=currency).id
        for client in clients
        for currency in CURRENCIES
    ]
    wallets = LedgerAccount.objects.select_related("asset", "trading_account").order_by("id")
    world = World(
        harness=Harness(venue.instrument),
        clients=clients,
        wallets=list(wallets.filter(id__in=ids)),
        staff=[UserFactory.create().id for _ in range(3)],
    )
    for client in clients:
        for asset, amount in _START.items():
            world.deposit(client, asset, amount, new_uuid())
    world.offer()
    return world


def owner_of(wallet: LedgerAccount) -> int:
    """The trading account of a wallet."""
    assert wallet.trading_account_id is not None
    return wallet.trading_account_id


def journal() -> dict[UUID, Lines]:
    """Every entry with its lines, as the database has them."""
    rows = Posting.objects.values_list(
        "entry_id",
        "ledger_account__trading_account_id",
        "ledger_account__kind",
        "asset__code",
        "amount",
    )
    entries: dict[UUID, dict[tuple[int | str, str], Decimal]] = {}
    for entry_id, account_id, kind, asset, amount in rows:
        lines = entries.setdefault(entry_id, {})
        owner = account_id or kind
        assert (owner, asset) not in lines, "two postings of one entry on one account"
        lines[owner, asset] = amount
    return dict(entries)
