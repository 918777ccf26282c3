"""What the demo consists of: assets, instruments, brokers, and the money on their accounts.

"VENUE" stands for the venue's currency. Everything here may be changed; what is loaded already is
left as it is, and a changed amount is deposited on top.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

VENUE = "VENUE"

# The perpetual whose mark moves, and who trades it: see `exchange_project.demo.market`.
MARKET_SYMBOL, MARKET_ASSET = "ETH-PERP", "USDT"
MARKET_BROKER, MARKET_STAKE = "Delta Simulated", Decimal(100)

# (code, kind, scale, name)
ASSETS: tuple[tuple[str, str, int, str], ...] = (
    ("USD", "FIAT", 4, "US dollar"),
    ("EUR", "FIAT", 4, "Euro"),
    ("GBP", "FIAT", 4, "Pound sterling"),
    ("BRL", "FIAT", 4, "Brazilian real"),
    ("USDT", "CRYPTO", 6, "Tether"),
    ("BTC", "CRYPTO", 8, "Bitcoin"),
    ("ETH", "CRYPTO", 8, "Ether"),
)

# (base, quote, rate, spread): what one unit of the base is worth; the way back follows from it. The
# rates follow the market: these count where no price service knows the pair.
CONVERSION_RATES: tuple[tuple[str, str, Decimal, Decimal], ...] = (
    ("EUR", "USD", Decimal("1.10"), Decimal("0.002")),
    ("GBP", "USD", Decimal("1.28"), Decimal("0.002")),
    ("USD", "BRL", Decimal("5.50"), Decimal("0.005")),
    ("EUR", "GBP", Decimal("0.859375"), Decimal("0.003")),
    ("EUR", "BRL", Decimal("6.05"), Decimal("0.006")),
    ("USDT", "USD", Decimal(1), Decimal("0.001")),
    ("BTC", "USD", Decimal(50_000), Decimal("0.005")),
    ("BTC", "USDT", Decimal(50_000), Decimal("0.005")),
    ("ETH", "USD", Decimal(2_500), Decimal("0.005")),
    ("ETH", "USDT", Decimal(2_500), Decimal("0.005")),
)

# (symbol, name): priced in the venue's currency, tick 0.01, lot 1, seller's price, no fees.
EQUITIES: tuple[tuple[str, str], ...] = (
    ("AAPL", "Apple"),
    ("AMZN", "Amazon"),
    ("GOOG", "Alphabet"),
    ("ITUB4", "Itaú Unibanco"),
    ("MSFT", "Microsoft"),
    ("NVDA", "NVIDIA"),
    ("PETR4", "Petrobras"),
    ("TSLA", "Tesla"),
    ("VALE3", "Vale"),
)

_SPOT: dict[str, Any] = {
    "kind": "SPOT",
    "quote": "USDT",
    "tick_size": Decimal("0.01"),
    "lot_size": Decimal("0.0001"),
    "price_rule": "MAKER",
    "maker_fee_rate": Decimal("0.0002"),
    "taker_fee_rate": Decimal("0.0005"),
    "market_collar_rate": Decimal("0.05"),
}

# Arguments of `marketdata.services.create_instrument`.
OTHER_INSTRUMENTS: tuple[dict[str, Any], ...] = (
    {"symbol": "BTC-USDT", "base": "BTC", "name": "Bitcoin", **_SPOT},
    {"symbol": "ETH-USDT", "base": "ETH", "name": "Ether", **_SPOT},
    {
        "symbol": "BTC-PERP",
        "base": "BTC",
        "name": "Bitcoin perpetual",
        **_SPOT,
        "kind": "PERPETUAL",
        "price_band_rate": Decimal("0.1"),
        "initial_margin_rate": Decimal("0.20"),
        "maintenance_margin_rate": Decimal("0.10"),
        "mark_jump_limit_rate": Decimal("0.20"),
        # The mark of the documents holds until somebody posts another: ten years.
        "mark_stale_seconds": 315_360_000,
    },
    {
        "symbol": MARKET_SYMBOL,
        "base": "ETH",
        "name": "Ether perpetual",
        **_SPOT,
        "kind": "PERPETUAL",
        "price_band_rate": Decimal("0.1"),
        # Small margins, so that small moves are enough for calls and liquidations.
        "initial_margin_rate": Decimal("0.005"),
        "maintenance_margin_rate": Decimal("0.0025"),
        # Its mark is computed from its index, every half of a minute. A venue that was stopped for
        # weeks finds the index far away.
        "mark_jump_limit_rate": Decimal("0.9"),
        "mark_stale_seconds": 60,
    },
)

# (symbol, first mark price)
MARKS: tuple[tuple[str, Decimal], ...] = (("BTC-PERP", Decimal(50_000)),)

# What the venue pays into the insurance fund of a perpetual's quote asset.
INSURANCE: tuple[tuple[str, Decimal], ...] = (("BTC-PERP", Decimal(100_000)),)


@dataclass(frozen=True, slots=True)
class Deposit:
    """What an account starts with; `kind` says where, if not where deposits go by themselves."""

    asset: str
    amount: Decimal
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class DemoAccount:
    """An account of a demo broker; `id` where documents name it."""

    document_number: str
    deposits: tuple[Deposit, ...]
    id: int | None = None


@dataclass(frozen=True, slots=True)
class DemoBroker:
    """A demo broker; `known_key` is a key that documents name, bound to the first account."""

    name: str
    about: str
    funding: str
    accounts: tuple[DemoAccount, ...] = ()
    known_key: str | None = None
    known_key_scopes: tuple[str, ...] = field(default=())


_COINS = (Deposit("BTC", Decimal(10)), Deposit("ETH", Decimal(200)))

_TRADER = (
    Deposit(VENUE, Decimal(1_000_000)),
    Deposit("USDT", Decimal(1_000_000)),
    *_COINS,
    *(Deposit(symbol, Decimal(10_000)) for symbol, _ in EQUITIES),
)

BROKERS: tuple[DemoBroker, ...] = (
    DemoBroker(
        name="Retail",
        about="prefunded, for people and for the examples of the documents",
        funding="PREFUNDED",
        accounts=(
            DemoAccount(
                "00000000001",
                (
                    Deposit(VENUE, Decimal(100_000)),
                    Deposit("USDT", Decimal(25_000)),
                    Deposit("USDT", Decimal(10_000), "MARGIN"),
                    Deposit("BTC", Decimal("0.5")),
                    Deposit("AAPL", Decimal(100)),
                    Deposit("MSFT", Decimal(50)),
                    Deposit("PETR4", Decimal(1_000)),
                ),
                id=1,
            ),
        ),
        known_key="test-api-key-123",
        known_key_scopes=("read", "trade", "transfer", "book", "marks"),
    ),
    DemoBroker(name="Alpha Securities", about="credit without limit", funding="CREDIT"),
    DemoBroker(name="Beta Brokerage", about="credit without limit", funding="CREDIT"),
    DemoBroker(
        name=MARKET_BROKER,
        about="simulated traders of ETH-PERP",
        funding="PREFUNDED",
        accounts=tuple(
            DemoAccount(f"4000000000{number}", (Deposit(MARKET_ASSET, MARKET_STAKE, "MARGIN"),))
            for number in range(1, 5)
        ),
    ),
    DemoBroker(
        name="Gamma Capital",
        about="prefunded",
        funding="PREFUNDED",
        accounts=(DemoAccount("30000000001", _TRADER), DemoAccount("30000000002", _TRADER)),
    ),
)
