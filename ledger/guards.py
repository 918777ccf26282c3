"""The rates of conversions, which take two persons, and their bounds."""

from decimal import Decimal

from ledger.models import ConversionRate
from ledger.services import store_conversion_rate
from oversight.registry import GuardedModel, register_guarded
from oversight.types import Bound


def register_guards() -> None:
    """Have rates, spreads and new pairs take two persons."""
    register_guarded(
        GuardedModel(
            model=ConversionRate,
            bounds={
                "rate": Bound(Decimal("0.000000000001"), Decimal(10**12), Decimal("1.5")),
                "spread_rate": Bound(Decimal(0), Decimal("0.1")),
            },
            save=store_conversion_rate,
            create=store_conversion_rate,
        )
    )
