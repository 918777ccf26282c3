"""Terms that staff search for: ids in full, or nothing."""

from uuid import UUID

import pytest

from common.admin import as_row_id, as_uuid


@pytest.mark.parametrize(
    ("term", "row_id"),
    [
        ("1", 1),
        ("9223372036854775807", 2**63 - 1),
        # PostgreSQL would refuse the query.
        ("9223372036854775808", None),
        ("9" * 10_000, None),
        ("", None),
        ("-1", None),
        ("1.0", None),
        ("²", None),
        ("ACME", None),
    ],
)
def test_a_term_as_the_id_of_a_row(term: str, row_id: int | None) -> None:
    assert as_row_id(term) == row_id


def test_a_term_as_a_uuid() -> None:
    wanted = UUID("0190a4d6-1111-7000-8000-000000000001")
    assert as_uuid(str(wanted)) == as_uuid(wanted.hex) == wanted
    assert as_uuid("ACME") is as_uuid("1") is None
