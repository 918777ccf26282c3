"""Assets and instruments for tests, made through the services."""

from decimal import Decimal
from typing import Any

from marketdata.models import Asset
from marketdata.services import create_asset, create_instrument
from marketdata.types import InstrumentSpec

_FIAT = dict.fromkeys(("USD", "EUR", "GBP"), ("FIAT", 4))
_KINDS = {**_FIAT, "USDT": ("CRYPTO", 6), "BTC": ("CRYPTO", 8)}


def make_asset(code: str = "USD") -> Asset:
    """The asset of that code, a share where it is no currency; made once."""
    kind, scale = _KINDS.get(code, ("SECURITY", 0))
    return Asset.objects.filter(code=code).first() or create_asset(
        code=code, kind=kind, scale=scale
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
