"""Instruments from a CSV file: what is listed, changed, refused and told, line by line."""

from collections.abc import Callable
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command, load_command_class

from marketdata.importing import COLUMNS
from marketdata.models import Asset, Instrument
from marketdata.selectors import find_instrument_spec
from marketdata.tests.factories import make_instrument

pytestmark = pytest.mark.django_db

Import = Callable[..., tuple[int, list[str]]]

GOOD = """symbol,kind,name,base,quote,tick_size,lot_size,maker_fee_rate,taker_fee_rate
ACME,EQUITY,Acme,,,,,,
BTC-USDT,SPOT,Bitcoin,BTC,USDT,0.01,0.0001,0.0002,0.0005
"""


@pytest.fixture
def run(tmp_path: Path) -> Import:
    """Import a text as a file; exit code and lines told."""

    def run_it(text: str | bytes, *options: str) -> tuple[int, list[str]]:
        path = tmp_path / "instruments.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        out = StringIO()
        try:
            call_command("import_instruments", str(path), *options, stdout=out)
        except SystemExit as end:
            return int(end.code or 0), out.getvalue().splitlines()
        return 0, out.getvalue().splitlines()

    return run_it


@pytest.fixture(autouse=True)
def _tether() -> None:
    Asset.objects.create(code="USDT", kind="CRYPTO", scale=6)


def test_lines_become_instruments_with_usual_values(run: Import) -> None:
    assert run(GOOD) == (0, ["2 new, 0 changed, 0 unchanged, 0 wrong."])

    share, coin = find_instrument_spec("ACME"), find_instrument_spec("BTC-USDT")
    assert share is not None and coin is not None
    assert (share.kind, share.quote_asset, share.base_scale, share.price_rule, share.state) == (
        "EQUITY",
        "USD",
        0,
        "SELLER",
        "CONTINUOUS",
    )
    assert (share.tick_size, share.lot_size, share.name) == (Decimal("0.01"), Decimal(1), "Acme")
    assert (coin.kind, coin.base_scale, coin.price_rule) == ("SPOT", 8, "MAKER")
    assert (coin.maker_fee_rate, coin.taker_fee_rate) == (Decimal("0.0002"), Decimal("0.0005"))
    assert not share.is_open_listing


def test_the_same_file_again_changes_nothing(run: Import) -> None:
    run(GOOD)
    before = list(Instrument.objects.order_by("id").values())

    assert run(GOOD) == (0, ["0 new, 0 changed, 2 unchanged, 0 wrong."])
    assert list(Instrument.objects.order_by("id").values()) == before


def test_a_line_says_what_price_services_call_it(run: Import) -> None:
    head = "symbol,kind,price_symbol\n"
    assert run(f"{head}PETR4,EQUITY,PETR4.SA\nACME,EQUITY,\n")[0] == 0
    assert dict(Instrument.objects.values_list("symbol", "price_symbol")) == {
        "PETR4": "PETR4.SA",
        "ACME": "",
    }

    assert run(f"{head}PETR4,EQUITY,PETR4.SAO\nACME,EQUITY,\n") == (
        0, ["0 new, 1 changed, 1 unchanged, 0 wrong."],
    )  # fmt: skip
    assert run(f"{head}PETR4,EQUITY,petr4\n")[0] == 1
    assert Instrument.objects.get(symbol="PETR4").price_symbol == "PETR4.SAO"


def test_a_line_changes_what_it_names_and_leaves_the_rest(run: Import) -> None:
    run(GOOD)

    told = run("symbol,kind,base,quote,state,taker_fee_rate\nBTC-USDT,SPOT,BTC,USDT,HALTED,\n")

    assert told == (0, ["0 new, 1 changed, 0 unchanged, 0 wrong."])
    coin = find_instrument_spec("BTC-USDT")
    assert coin is not None
    assert (coin.state, coin.taker_fee_rate) == ("HALTED", Decimal("0.0005"))


def test_a_dry_run_tells_and_stores_nothing(run: Import) -> None:
    assert run(GOOD, "--dry-run") == (
        0,
        ["2 new, 0 changed, 0 unchanged, 0 wrong.", "Nothing was stored. (dry run)"],
    )
    assert not Instrument.objects.exists()
    assert find_instrument_spec("ACME") is None
    assert not Asset.objects.exclude(code="USDT").exists()


WRONG = """symbol,kind,base,quote,tick_size,lot_size
GOOD,EQUITY,,,,
bad symbol,EQUITY,,,,
NOKIND,BOND,,,,
NUMBERS,EQUITY,,,1e99,-1

HALF,SPOT,,USDT,,
GOOD,EQUITY,,,,
ROUNDED,EQUITY,,,0.00001,
NOMONEY,EQUITY,,XXX,,
"""


def test_all_that_is_wrong_is_told_with_its_line_and_nothing_is_stored(run: Import) -> None:
    code, told = run(WRONG)

    assert code == 1
    assert [line.partition(" (")[0].partition(":")[0] for line in told[:-2]] == [
        "line 3, bad symbol, symbol",
        "line 4, NOKIND, kind",
        "line 5, NUMBERS, tick_size",
        "line 5, NUMBERS, lot_size",
        "line 7, HALF, base",
        "line 8, GOOD, symbol",
        "line 9, ROUNDED, tick_size",
        "line 10, NOMONEY",
    ]
    codes = [line.rpartition("(")[2].rstrip(")") for line in told[:-2]]
    assert codes == [
        "invalid_symbol",
        "invalid_choice",
        "not_a_number",
        "too_small",
        "required",
        "repeated",
        "off_scale",
        "unknown_currency",
    ]
    assert told[-2:] == ["1 new, 0 changed, 0 unchanged, 7 wrong.", "Nothing was stored."]
    assert not Instrument.objects.exists()
    assert not Asset.objects.exclude(code="USDT").exists()


def test_what_is_right_is_stored_where_that_is_asked_for(run: Import) -> None:
    code, told = run(WRONG, "--partial")

    assert (code, told[-1]) == (1, "1 new, 0 changed, 0 unchanged, 7 wrong.")
    assert list(Instrument.objects.values_list("symbol", flat=True)) == ["GOOD"]
    # What a wrong line had begun is undone.
    assert set(Asset.objects.values_list("code", flat=True)) == {"USDT", "USD", "GOOD"}


def test_what_orders_depend_on_does_not_change(run: Import) -> None:
    make_instrument("ACME")

    code, told = run("symbol,kind,tick_size,lot_size\nACME,EQUITY,0.05,1\n")

    assert code == 1
    assert told[0] == "line 2, ACME, tick_size: It is 0.01 and does not change. (fixed)"
    assert Instrument.objects.get().tick_size == Decimal("0.01")


def test_a_perpetual_needs_its_margin_terms(run: Import) -> None:
    code, told = run("symbol,kind,base,quote\nBTC-PERP,PERPETUAL,BTC,USDT\n")

    assert code == 1
    assert any("price_band_rate" in line for line in told)
    assert not Instrument.objects.exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "symbol\nACME\n",
        "symbol,kind,colour\nACME,EQUITY,red\n",
        "symbol,symbol,kind\nA,A,EQUITY\n",
        "symbol,kind\nACME,EQUITY,more\n",
        'symbol,kind\n"ACME,EQUITY\n',
        b"symbol,kind\n\xff\xfe,EQUITY\n",
    ],
)
def test_what_is_no_table_is_refused_as_a_whole(run: Import, text: str | bytes) -> None:
    with pytest.raises(CommandError):
        run(text, "--partial")
    assert not Instrument.objects.exists()


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_instruments", str(tmp_path / "none.csv"))


def test_a_byte_order_mark_and_blanks_do_no_harm(run: Import) -> None:
    text = "\ufeffsymbol, kind\r\n ACME , EQUITY \r\n"

    assert run(text)[0] == 0
    assert find_instrument_spec("ACME") is not None


def test_the_help_tells_the_columns() -> None:
    command: Any = load_command_class("marketdata", "import_instruments")

    text = command.create_parser("manage.py", "import_instruments").format_help()

    lines = [line.split()[0] for line in text.splitlines() if line.startswith("  ")]
    assert set(COLUMNS) <= set(lines)
