"""Makes who trades what in a made-up history: brokers, accounts, instruments, and their money.

What is there under the same names is used again, so that a venue can be loaded after a reset.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from brokers.models import Broker, Funding, TradingAccount
from common.database import allow_long_statements
from common.ids import new_uuid
from common.instants import from_microseconds
from common.money import UNITS8, from_units8, to_units8
from exchange_project.history.errors import HistoryRefused
from exchange_project.history.market import MAKER_RATE, TAKER_RATE, Terms
from ledger import bulk
from ledger.batch import LedgerBatch, LedgerRow
from marketdata.models import Asset, Instrument

ACTOR = "load_history"
# Within 64 bits, as the balances of a real venue are: the engine writes these faster.
_CASH_UNITS8 = 10**10 * UNITS8
_SHARES_UNITS8 = 10**9 * UNITS8
_TICK_PLACES_MAX = 2
_LOOKED_UP_AT_ONCE = 10_000
_SERVICES_SHARD = -1
ENGINE_SHARD = 0


@dataclass(frozen=True, slots=True)
class Size:
    """How large the made-up venue is."""

    brokers: int = 100
    accounts_per_broker: int = 4
    instruments: int = 450


class World:
    """Accounts and instruments by index, with the ledger accounts that they move."""

    def __init__(
        self, currency: Asset, instruments: list[Instrument], accounts: list[TradingAccount]
    ) -> None:
        self.currency = currency
        self.instruments = instruments
        self.accounts = accounts
        self.cash: list[LedgerRow] = []
        self.shares: list[list[LedgerRow]] = []
        # By kind, asset and shard.
        self.venue: dict[bulk.VenueKey, LedgerRow] = {}
        self.batch = LedgerBatch()

    @property
    def fees(self) -> LedgerRow:
        """The account that an engine books its fees on."""
        return self.venue["FEES", self.currency.id, ENGINE_SHARD]

    @property
    def terms(self) -> Terms:
        """What the market has to know."""
        one = self.instruments[0]
        tick, lot = to_units8(one.tick_size), to_units8(one.lot_size)
        return Terms(
            accounts=len(self.accounts),
            symbols=len(self.instruments),
            factor=tick * lot // UNITS8,
            lot=lot,
            fee_unit=10 ** (8 - self.currency.scale),
        )


def make_world(size: Size, *, at: int) -> World:
    """Everything that has to be there before the first order, with deposits at the instant `at`."""
    with transaction.atomic():
        allow_long_statements(600)
        currency, _ = Asset.objects.get_or_create(
            code=settings.VENUE_CURRENCY, defaults={"kind": Asset.Kind.FIAT, "scale": 4}
        )
        instruments = _make_instruments(size.instruments, currency)
        world = World(currency, instruments, _make_accounts(size))
        _open_ledger_accounts(world)
        _deposit(world, at)
    return world


def _make_instruments(count: int, currency: Asset) -> list[Instrument]:
    symbols = [f"HIST{number}" for number in range(1, count + 1)]
    Asset.objects.bulk_create(
        (Asset(code=symbol, kind=Asset.Kind.SECURITY, scale=0) for symbol in symbols),
        ignore_conflicts=True,
    )
    shares = Asset.objects.in_bulk(symbols, field_name="code")
    tick = Decimal(1).scaleb(-min(_TICK_PLACES_MAX, currency.scale))
    Instrument.objects.bulk_create(
        (
            Instrument(
                symbol=symbol,
                name=f"History {symbol}",
                kind=Instrument.Kind.EQUITY,
                base_asset=shares[symbol],
                quote_asset=currency,
                tick_size=tick,
                lot_size=1,
                price_rule=Instrument.PriceRule.SELLER,
                maker_fee_rate=from_units8(MAKER_RATE),
                taker_fee_rate=from_units8(TAKER_RATE),
            )
            for symbol in symbols
        ),
        ignore_conflicts=True,
    )
    found = Instrument.objects.in_bulk(symbols, field_name="symbol")
    for instrument in found.values():
        if instrument.shard != ENGINE_SHARD:
            raise HistoryRefused(f"{instrument.symbol} is on shard {instrument.shard}, not 0.")
    return [found[symbol] for symbol in symbols]


def _make_accounts(size: Size) -> list[TradingAccount]:
    names = [f"History broker {number}" for number in range(1, size.brokers + 1)]
    known = {broker.name: broker for broker in Broker.objects.filter(name__in=names)}
    new = [Broker(name=name) for name in names if name not in known]
    known |= {broker.name: broker for broker in Broker.objects.bulk_create(new)}
    documents = [f"H{number}" for number in range(1, size.accounts_per_broker + 1)]
    brokers = [known[name] for name in names]
    TradingAccount.objects.bulk_create(
        (
            TradingAccount(broker=broker, document_number=document, funding=Funding.PREFUNDED)
            for broker in brokers
            for document in documents
        ),
        ignore_conflicts=True,
    )
    found = TradingAccount.objects.filter(broker__in=brokers, document_number__in=documents)
    return list(found.select_related("broker").order_by("id"))


def _open_ledger_accounts(world: World) -> None:
    """Make the ledger accounts of clients and know them all, as they are."""
    currency, assets = world.currency.id, [one.base_asset_id for one in world.instruments]
    cash = [(account.id, currency, "CASH") for account in world.accounts]
    shares = [(account.id, asset, "SECURITY") for account in world.accounts for asset in assets]
    venue = [("FEES", currency, ENGINE_SHARD)]
    venue += [("TRANSIT", asset, _SERVICES_SHARD) for asset in (currency, *assets)]
    clients: dict[bulk.ClientKey, int] = {}
    with connection.cursor() as cursor:
        for keys in _slices([*cash, *shares]):
            clients |= bulk.ensure_client_accounts(cursor, keys)
        venue_ids = bulk.ensure_venue_accounts(cursor, venue)
        for some in _slices(sorted([*clients.values(), *venue_ids.values()])):
            world.batch.add_rows(bulk.lock_rows(cursor, some))
    row = world.batch.row
    world.cash = [row(clients[key]) for key in cash]
    found = iter(row(clients[key]) for key in shares)
    world.shares = [[next(found) for _ in assets] for _ in world.accounts]
    world.venue = {key: row(venue_ids[key]) for key in venue}


def _deposit(world: World, at: int) -> None:
    """Give every account cash and shares of everything, an entry each, as `deposit` books it."""
    sources: list[tuple[UUID, UUID]] = []
    for cash, shares in zip(world.cash, world.shares, strict=True):
        _post_deposit(world, cash, _CASH_UNITS8, sources)
        for row in shares:
            _post_deposit(world, row, _SHARES_UNITS8, sources)
    moments = [from_microseconds(at).isoformat()] * len(sources)
    prepared = bulk.prepare_copy(world.batch, actor=ACTOR, occurred_at=moments)
    with connection.cursor() as cursor, connection.wrap_database_errors:
        bulk.copy_batch(cursor.cursor, prepared)
        bulk.copy_sources(cursor.cursor, "deposit", sources)


def _post_deposit(
    world: World, row: LedgerRow, amount: int, sources: list[tuple[UUID, UUID]]
) -> None:
    entry_id, source_id = new_uuid(), new_uuid()
    transit = world.venue["TRANSIT", row.asset_id, _SERVICES_SHARD]
    world.batch.post(
        entry_id.bytes, "DEPOSIT", "deposit", source_id.bytes, [(row, amount), (transit, -amount)]
    )
    sources.append((source_id, entry_id))


def _slices(items: Sequence) -> Iterator[Sequence]:
    for start in range(0, len(items), _LOOKED_UP_AT_ONCE):
        yield items[start : start + _LOOKED_UP_AT_ONCE]
