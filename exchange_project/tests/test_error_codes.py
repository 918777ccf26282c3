"""docs/errors.md: one table of all codes, made from the classes and never older than they are."""

from pathlib import Path

from django.conf import settings

from exchange_project.management.commands.error_codes import error_table
from marketdata.errors import UnknownSymbol
from orders.types import Reason

DOCUMENT = Path(settings.BASE_DIR) / "docs" / "errors.md"


def test_document_is_what_the_classes_say():
    expected = error_table()

    assert DOCUMENT.read_text() == expected, "run: python manage.py error_codes > docs/errors.md"


def test_table_tells_status_meaning_and_facts_of_an_error():
    row = next(line for line in error_table().splitlines() if line.startswith("| `unknown_symbol`"))

    meaning = "There is no such instrument, and nothing may be listed under this symbol"
    assert row == f"| `unknown_symbol` | 422 | {meaning} | `symbol` |"
    assert UnknownSymbol.title() == meaning


def test_every_reason_of_an_order_is_told():
    told = {line.split("`")[1] for line in error_table().splitlines() if line.startswith("| `")}

    assert {reason.value for reason in Reason} <= told
