"""The numbers of instruments that take two persons, and their bounds."""

from decimal import Decimal

from marketdata.models import Instrument
from marketdata.services import store_instrument
from oversight.registry import GuardedModel, register_guarded
from oversight.types import Bound

_FEE_MAX = Decimal("0.05")
_SIZE = Bound(minimum=Decimal(0), factor=Decimal(100))
_BAND = Bound(minimum=Decimal("0.0001"), maximum=Decimal(1), factor=Decimal(5))
_MARGIN = Bound(minimum=Decimal("0.001"), maximum=Decimal(1), factor=Decimal(3))


def register_guards() -> None:
    """Have fees, limits and margin terms, and new instruments, take two persons."""
    register_guarded(
        GuardedModel(
            model=Instrument,
            bounds={
                "min_quantity": _SIZE,
                "max_quantity": _SIZE,
                "min_notional": _SIZE,
                "max_notional": _SIZE,
                "price_band_rate": _BAND,
                "market_collar_rate": _BAND,
                "initial_margin_rate": _MARGIN,
                "maintenance_margin_rate": _MARGIN,
                "mark_jump_limit_rate": _BAND,
                "mark_stale_seconds": Bound(Decimal(5), Decimal(86_400), Decimal(10)),
                "max_position": Bound(Decimal(0), factor=Decimal(100)),
                "liquidation_fee_rate": Bound(Decimal(0), Decimal("0.1"), Decimal(10)),
                "liquidation_buffer_rate": Bound(Decimal(0), Decimal(1), Decimal(10)),
                "funding_interval_seconds": Bound(Decimal(60), Decimal(604_800), Decimal(24)),
                "funding_interest_rate": Bound(Decimal("-0.01"), Decimal("0.01")),
                "funding_cap_rate": Bound(Decimal(0), Decimal("0.1"), Decimal(10)),
                "maker_fee_rate": Bound(-_FEE_MAX, _FEE_MAX),
                "taker_fee_rate": Bound(Decimal(0), _FEE_MAX),
            },
            save=store_instrument,
            create=store_instrument,
        )
    )
