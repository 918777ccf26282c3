"""Assets and instruments for tests, made through the services."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from marketdata.models import Asset, MarkPrice
from marketdata.services import create_asset, create_instrument
from marketdata.types import InstrumentSpec

_FIAT = dict.fromkeys(("USD", "EUR", "GBP", "BRL"), ("FIAT", 4))
_KINDS = {**_FIAT, "USDT": ("CRYPTO", 6), "BTC": ("CRYPTO", 8)}


def make_asset(code: str = "USD") -> Asset:
    """The asset of that code, a share where it is no currency; made once."""
    kind, scale = _KINDS.get(code, ("SECURITY", 0))
    return Asset.objects.filter(code=code).first() or create_asset(
        code=code, kind=kind, scale=scale
    )


def make_perpetual(symbol: str = "BTC-PERP", **fields: Any) -> InstrumentSpec:
    """A perpetual in USDT without a mark (tick 0.01, lot 0.0001), or what `fields` say."""
    values: dict[str, Any] = {
        "base": "BTC",
        "quote": "USDT",
        "kind": "PERPETUAL",
        "lot_size": Decimal("0.0001"),
        "price_rule": "MAKER",
        "price_band_rate": Decimal("0.1"),
    }
    return make_instrument(symbol, **(values | fields))


def make_mark(
    instrument: InstrumentSpec, price: str, *, age: timedelta = timedelta(0)
) -> MarkPrice:
    """A mark price that holds from now on, and is of some time ago."""
    now = timezone.now()
    return MarkPrice.objects.create(
        instrument_id=instrument.id,
        price=Decimal(price),
        source=MarkPrice.Source.POSTED,
        as_of=now - age,
        posted_at=now,
        actor="test",
    )


def make_instrument(symbol: str = "ACME", **fields: Any) -> InstrumentSpec:
    """An equity in USD (tick 0.01, lot 1, seller's price), or what `fields` say."""
    base, quote = fields.pop("base", symbol), fields.pop("quote", "USD")
    make_asset(base)
    make_asset(quote)
    values: dict[str, Any] = {
        "kind": "EQUITY",
        "tick_size": Decimal("0.01"),
        "lot_size": Decimal(1),
        "price_rule": "SELLER",
    }
    return create_instrument(symbol=symbol, base=base, quote=quote, **(values | fields))
