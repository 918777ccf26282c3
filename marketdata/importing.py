"""Instruments out of a table of texts (a CSV file): each line is listed, changed or left alone.

A line names an instrument by its symbol. What a cell leaves empty stays as it is, or gets its usual
value where the instrument is new. What orders depend on (assets, steps, price rule) is never
changed. Every line is looked at, so a report names all that is wrong with a file at once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction

from common.api.fields import FieldReader
from common.database import retry_on_conflict
from common.errors import ExchangeError, FieldError, ValidationFailed
from common.limits import PRICE_SYMBOL_LENGTH_MAX, SYMBOL_LENGTH_MAX
from common.money import plain
from marketdata.calculations import symbol_errors
from marketdata.models import Asset, Instrument
from marketdata.selectors import forget_specs
from marketdata.services import create_asset, create_instrument, ensure_currency, store_instrument

NAME_LENGTH_MAX = 100
SCALE_MAX = 8
_ZERO = Decimal(0)

# Columns with what they hold, as the help of the command shows them.
COLUMNS: dict[str, str] = {
    "symbol": "1 to 20 of A-Z 0-9 . _ : -; required",
    "kind": "EQUITY, SPOT or PERPETUAL; required",
    "name": "up to 100 characters",
    "price_symbol": "what price services call it, as PETR4.SA; the symbol",
    "base": "code of the base asset; the symbol itself for EQUITY, required otherwise",
    "quote": "currency of the price; the venue's for EQUITY, required otherwise",
    "base_scale": "decimal places of a new base asset; 0 for EQUITY, 8 otherwise",
    "tick_size": "step of prices; 0.01",
    "lot_size": "step of quantities; 1 for EQUITY, 0.0001 otherwise",
    "price_rule": "SELLER or MAKER; SELLER for EQUITY, MAKER otherwise",
    "state": f"{', '.join(Instrument.State.values)}; CONTINUOUS",
    "min_quantity": "",
    "max_quantity": "",
    "min_notional": "",
    "max_notional": "",
    "maker_fee_rate": "share of the notional, may be below zero; 0",
    "taker_fee_rate": "share of the notional; 0",
    "price_band_rate": "largest distance of a limit price, as a share; PERPETUAL needs it",
    "market_collar_rate": "largest distance of a market order's price, as a share",
    "initial_margin_rate": "PERPETUAL only, and needs it",
    "maintenance_margin_rate": "PERPETUAL only, and needs it",
    "mark_jump_limit_rate": "PERPETUAL only, and needs it",
    "mark_stale_seconds": "PERPETUAL only, and needs it",
    "max_position": "PERPETUAL only",
    "liquidation_fee_rate": "PERPETUAL only; 0.005",
    "liquidation_buffer_rate": "PERPETUAL only; 0.05",
    "funding_interval_seconds": "PERPETUAL only; 28800, which is eight hours",
    "funding_interest_rate": "PERPETUAL only, of an interval; 0.0001",
    "funding_cap_rate": "PERPETUAL only, of an interval; 0.0075",
}
REQUIRED_COLUMNS = ("symbol", "kind")
_AMOUNTS = ("min_quantity", "max_quantity", "min_notional", "max_notional", "max_position")
_RATES = (
    "maker_fee_rate",
    "taker_fee_rate",
    "price_band_rate",
    "market_collar_rate",
    "initial_margin_rate",
    "maintenance_margin_rate",
    "mark_jump_limit_rate",
    "liquidation_fee_rate",
    "liquidation_buffer_rate",
    "funding_interest_rate",
    "funding_cap_rate",
)
_WEEK_SECONDS = 604_800
_FIXED = ("kind", "base", "quote", "tick_size", "lot_size", "price_rule")


@dataclass(frozen=True, slots=True)
class LineError:
    """What is wrong in one line of the file; `field` is the column, empty for the whole line."""

    line: int
    symbol: str
    field: str
    code: str
    detail: str


@dataclass(slots=True)
class ImportReport:
    """What became of the lines. Not stored where `is_stored` is False, whatever the counts say."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    errors: list[LineError] = field(default_factory=list)
    is_stored: bool = False


Line = tuple[int, Mapping[str, str]]


@retry_on_conflict
def import_instruments(
    *,
    lines: Sequence[Line],
    is_partial: bool = False,
    is_dry_run: bool = False,
    tell_progress: Callable[[int], None] = lambda done: None,
) -> ImportReport:
    """List or change an instrument for each line: its number in the file, and texts by column.

    One transaction: unless `is_partial`, nothing is stored if any line is wrong. `is_dry_run`
    stores nothing at all. The same file again changes nothing.
    """
    report = ImportReport()
    seen: set[str] = set()
    with transaction.atomic():
        for done, (number, cells) in enumerate(lines, start=1):
            _import_line(number, cells, seen, report)
            tell_progress(done)
        report.is_stored = not is_dry_run and (is_partial or not report.errors)
        if not report.is_stored:
            transaction.set_rollback(True)
    forget_specs()
    return report


def _import_line(
    number: int, cells: Mapping[str, str], seen: set[str], report: ImportReport
) -> None:
    symbol = cells.get("symbol", "")
    try:
        with transaction.atomic():
            what = _store(_read_cells(cells, seen))
    except ExchangeError as error:
        found = error.errors or [FieldError("", error.code, error.detail)]
        report.errors += [
            LineError(number, symbol, one.field, one.code, one.detail) for one in found
        ]
    else:
        setattr(report, what, getattr(report, what) + 1)


def _read_cells(cells: Mapping[str, str], seen: set[str]) -> dict[str, Any]:
    """The values of a line that are not empty.

    Raises:
        ValidationFailed: names every cell that is wrong.
    """
    reader = FieldReader.of_query(cells)
    values: dict[str, Any] = {
        "symbol": reader.text("symbol", max_length=SYMBOL_LENGTH_MAX),
        "kind": reader.choice("kind", Instrument.Kind.values),
        "name": reader.optional_text("name", max_length=NAME_LENGTH_MAX),
        "price_symbol": reader.optional_text("price_symbol", max_length=PRICE_SYMBOL_LENGTH_MAX),
        "base": reader.optional_text("base", max_length=SYMBOL_LENGTH_MAX),
        "quote": reader.optional_text("quote", max_length=SYMBOL_LENGTH_MAX),
        "base_scale": reader.optional_integer("base_scale", minimum=0, maximum=SCALE_MAX),
        "tick_size": reader.optional_decimal("tick_size", above=_ZERO),
        "lot_size": reader.optional_decimal("lot_size", above=_ZERO),
        "price_rule": reader.optional_choice("price_rule", Instrument.PriceRule.values),
        "state": reader.optional_choice("state", Instrument.State.values),
        "mark_stale_seconds": reader.optional_integer(
            "mark_stale_seconds", minimum=1, maximum=32_767
        ),
        "funding_interval_seconds": reader.optional_integer(
            "funding_interval_seconds", minimum=1, maximum=_WEEK_SECONDS
        ),
        **{name: reader.optional_decimal(name, above=_ZERO) for name in _AMOUNTS},
        **{
            name: reader.optional_decimal(name, minimum=Decimal(-1), maximum=Decimal(1))
            for name in _RATES
        },
    }
    for name in ("symbol", "base"):
        for error in symbol_errors(values[name] or "X", name):
            reader.refuse(error.field, error.code, error.detail)
    if values["symbol"] in seen:
        reader.refuse("symbol", "repeated", "An earlier line names this symbol.")
    if values["kind"] in (Instrument.Kind.SPOT, Instrument.Kind.PERPETUAL):
        for name in ("base", "quote"):
            if values[name] is None:
                reader.refuse(name, "required", f"{values['kind']} needs it.")
    reader.finish()
    seen.add(values["symbol"])
    return {name: value for name, value in values.items() if value is not None}


def _store(values: dict[str, Any]) -> str:
    """Store a line; the name of the count in the report that it belongs to."""
    known = Instrument.objects.select_related("base_asset", "quote_asset")
    instrument = known.filter(symbol=values["symbol"]).first()
    if instrument is None:
        _create(values)
        return "created"
    _check_fixed(instrument, values)
    columns = values.keys() - {"symbol", "base_scale", *_FIXED}
    changes = {name: values[name] for name in columns if getattr(instrument, name) != values[name]}
    if not changes:
        return "unchanged"
    for name, value in changes.items():
        setattr(instrument, name, value)
    store_instrument(instrument)
    return "changed"


def _create(values: dict[str, Any]) -> None:
    is_equity = values["kind"] == Instrument.Kind.EQUITY
    usual = {
        "base": values["symbol"],
        "quote": settings.VENUE_CURRENCY,
        "base_scale": 0 if is_equity else SCALE_MAX,
        "tick_size": Decimal("0.01"),
        "lot_size": Decimal(1) if is_equity else Decimal("0.0001"),
        "price_rule": "SELLER" if is_equity else "MAKER",
    }
    wanted = usual | values
    scale = wanted.pop("base_scale")
    ensure_currency(wanted["quote"])
    if not Asset.objects.filter(code=wanted["base"]).exists():
        kind = Asset.Kind.SECURITY if is_equity else Asset.Kind.CRYPTO
        create_asset(code=wanted["base"], kind=kind, scale=scale, name=wanted.get("name", ""))
    create_instrument(**wanted)


def _check_fixed(instrument: Instrument, values: dict[str, Any]) -> None:
    stored: dict[str, Any] = {
        "kind": instrument.kind,
        "base": instrument.base_asset.code,
        "quote": instrument.quote_asset.code,
        "tick_size": instrument.tick_size,
        "lot_size": instrument.lot_size,
        "price_rule": instrument.price_rule,
    }
    errors = [
        FieldError(name, "fixed", f"It is {_shown(stored[name])} and does not change.")
        for name in _FIXED
        if name in values and values[name] != stored[name]
    ]
    if errors:
        raise ValidationFailed(errors=errors)


def _shown(value: Any) -> str:
    return plain(value) if isinstance(value, Decimal) else str(value)
