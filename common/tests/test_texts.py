"""The one rule for texts of one line; `test_fields` tries it character by character."""

import pytest

from common.api.values import ValueRefused, read_identifier
from common.errors import ValidationFailed
from common.texts import check_text, text_error


@pytest.mark.parametrize("text", ["", " ", "été, 日本", "a\u00a0b", "🙂", "x" * 20])
def test_a_text_that_may_be_empty(text: str) -> None:
    assert text_error("memo", text, max_length=20) is None
    check_text("memo", text, max_length=20)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "too_short"),
        (" ", "too_short"),
        ("x" * 21, "too_long"),
        ("a\tb", "invalid_characters"),
        ("a\u202eb", "invalid_characters"),
    ],
)
def test_what_is_wrong_is_named_with_its_field(text: str, code: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        check_text("reason", text, max_length=20, min_length=1)

    assert [(error.field, error.code) for error in refused.value.errors] == [("reason", code)]


@pytest.mark.parametrize("text", ["222", " 222 ", "222\u00a0", "\t222\n"])
def test_an_identifier_has_one_form(text: str) -> None:
    assert read_identifier(text, max_length=3) == "222"


def test_an_identifier_is_composed() -> None:
    assert read_identifier("E\u0301", max_length=1) == "\u00c9"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("222\u200b", "invalid_characters"),
        ("\ufeff222", "invalid_characters"),
        ("22\u00ad2", "invalid_characters"),
        ("2\n2", "invalid_characters"),
        ("  ", "too_short"),
        ("x" * 21, "too_long"),
        (222, "invalid_type"),
    ],
)
def test_what_is_no_identifier_is_refused(value: object, code: str) -> None:
    with pytest.raises(ValueRefused) as refused:
        read_identifier(value, max_length=20)
    assert refused.value.code == code
