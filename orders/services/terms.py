"""Is an order well-formed for its instrument? Checked by web before anything is sent.

What depends on balances, limits and the book is the engine's to decide.
"""

import re
from datetime import datetime
from decimal import Decimal

from django.utils import timezone

from common.errors import FieldError, ValidationFailed
from common.money import DECIMAL_PLACES, plain, steps_of
from marketdata.types import InstrumentSpec
from orders.calculations import NOTIONAL_UNITS_MAX
from orders.models import Order

UNITS_MAX = Decimal(10**12)
# Ticks and lots travel and match as 64-bit integers.
STEPS_MAX = 10**18
_SAFE_CLIENT_ORDER_ID = re.compile(r"[A-Za-z0-9._:+=@~|#-]{1,64}")

_MARKET = Order.Type.MARKET
_GTD = Order.TimeInForce.GTD
_IOC = Order.TimeInForce.IOC


def check_terms(
    *,
    instrument: InstrumentSpec,
    order_type: str,
    time_in_force: str,
    limit_price: Decimal | None,
    quantity: Decimal,
    valid_until: datetime | None,
    client_order_id: str | None,
) -> tuple[int | None, int]:
    """The order's limit price in ticks (None: MARKET) and its quantity in lots.

    Raises:
        ValidationFailed: names every field that is wrong, with its step and value.
    """
    errors = _type_errors(order_type, time_in_force, limit_price)
    errors += _validity_errors(time_in_force, valid_until)
    if client_order_id is not None and not _SAFE_CLIENT_ORDER_ID.fullmatch(client_order_id):
        detail = "1 to 64 letters, digits and . _ : + = @ ~ | # -"
        errors.append(FieldError("client_order_id", "invalid", detail))
    lots = _steps("quantity", quantity, instrument.lot_size, "lot size", errors)
    ticks = None
    if limit_price is not None:
        ticks = _steps("limit_price", limit_price, instrument.tick_size, "tick size", errors)
        if ticks and lots:
            errors += _notional_errors(ticks * lots, instrument)
    if errors or lots is None:
        raise ValidationFailed(errors=errors)
    return ticks, lots


def check_quantity(quantity: Decimal, instrument: InstrumentSpec) -> None:
    """See that a quantity is a whole number of lots.

    Raises:
        ValidationFailed: it is not, or is not above zero.
    """
    errors: list[FieldError] = []
    _steps("quantity", quantity, instrument.lot_size, "lot size", errors)
    if errors:
        raise ValidationFailed(errors=errors)


def check_market_notional(price: Decimal, quantity: Decimal, instrument: InstrumentSpec) -> None:
    """See that a quantity at the market price is no more than the venue counts.

    Raises:
        ValidationFailed: it is.
    """
    ticks = steps_of(price, instrument.tick_size)
    lots = steps_of(quantity, instrument.lot_size)
    assert ticks is not None, "a market price is in whole ticks"
    assert lots is not None, "the quantity has been checked"
    errors = _notional_errors(ticks * lots, instrument)
    if errors:
        raise ValidationFailed(errors=errors)


def check_still_valid(valid_until: datetime | None) -> None:
    """See that the order has time left.

    Raises:
        ValidationFailed: `valid_until` is not in the future.
    """
    if valid_until is not None and valid_until <= timezone.now():
        raise ValidationFailed(
            errors=[FieldError("valid_until", "not_in_future", "valid_until must be in the future")]
        )


def _type_errors(
    order_type: str, time_in_force: str, limit_price: Decimal | None
) -> list[FieldError]:
    """What does not go with the order's type."""
    errors = []
    if order_type == _MARKET:
        if limit_price is not None:
            errors.append(
                FieldError("limit_price", "not_for_market", "A market order has no price")
            )
        if time_in_force != _IOC:
            errors.append(FieldError("time_in_force", "not_for_market", "A market order is IOC"))
    elif limit_price is None:
        errors.append(FieldError("limit_price", "required", "A limit order needs a price"))
    return errors


def _validity_errors(time_in_force: str, valid_until: datetime | None) -> list[FieldError]:
    """GTD and only GTD has an end."""
    if time_in_force == _GTD and valid_until is None:
        return [FieldError("valid_until", "required", "A GTD order needs valid_until")]
    if time_in_force != _GTD and valid_until is not None:
        return [FieldError("valid_until", "only_for_gtd", "Only a GTD order has valid_until")]
    return []


def _steps(
    field: str, value: Decimal, step: Decimal, step_name: str, errors: list[FieldError]
) -> int | None:
    """How many steps `value` is; what is wrong with it is added to `errors`."""
    if not value.is_finite() or value <= 0:
        errors.append(FieldError(field, "not_positive", f"{field} must be more than zero"))
        return None
    if value > UNITS_MAX:
        errors.append(FieldError(field, "too_large", f"{field} must be at most {UNITS_MAX}"))
        return None
    steps = steps_of(value, step)
    if steps is None:
        errors.append(
            FieldError(
                field,
                "off_step",
                f"{field} {plain(value)} is not a whole number of the {step_name} {plain(step)}",
            )
        )
    elif steps > STEPS_MAX:
        errors.append(FieldError(field, "too_large", f"{field} is too large for its {step_name}"))
        return None
    return steps


def _notional_errors(ticks_times_lots: int, instrument: InstrumentSpec) -> list[FieldError]:
    """That a notional is beyond what any batch could add up, if it is."""
    smallest_units = 10**instrument.quote_scale
    notional = ticks_times_lots * instrument.tick_units8 * instrument.lot_units8 * smallest_units
    if notional <= NOTIONAL_UNITS_MAX * 10 ** (2 * DECIMAL_PLACES):
        return []
    detail = "price × quantity is more than 10^18 smallest units"
    return [FieldError("quantity", "notional_too_large", detail)]
