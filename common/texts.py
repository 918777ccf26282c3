"""Texts of one line that people give: memos, reasons, names. The one rule for them, pure."""

import re
import unicodedata

from common.errors import FieldError, ValidationFailed

# What PostgreSQL refuses (NUL, lone surrogates), and what no text of one line holds: controls, ends
# of lines, and embeddings, overrides and isolates, which make a text look like another one.
_FORBIDDEN_CHARACTERS = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def text_error(field: str, text: str, *, max_length: int, min_length: int = 0) -> FieldError | None:
    """What is wrong with a text, if anything; with a `min_length` blanks alone are too short."""
    if not text.isprintable() and _FORBIDDEN_CHARACTERS.search(text):
        return FieldError(field, "invalid_characters", "Control characters are not allowed.")
    if len(text) > max_length:
        return FieldError(field, "too_long", f"At most {max_length} characters.")
    if len(text) < min_length or (min_length and text.isspace()):
        detail = f"At least {min_length} characters, not only blanks."
        return FieldError(field, "too_short", detail)
    return None


def check_text(field: str, text: str, *, max_length: int, min_length: int = 0) -> None:
    """See that a text is one.

    Raises:
        ValidationFailed: it names what `text_error` found.
    """
    error = text_error(field, text, max_length=max_length, min_length=min_length)
    if error is not None:
        raise ValidationFailed(errors=[error])


def normal_identifier(text: str) -> str:
    """The one form of a number or name that people type: NFC, without blanks at the ends."""
    return text.strip() if text.isascii() else unicodedata.normalize("NFC", text).strip()


def identifier_error(
    field: str, text: str, *, max_length: int, min_length: int = 1
) -> FieldError | None:
    """What is wrong with an identifier in its normal form, if anything.

    Like any text it has no control characters, and no invisible ones either.
    """
    error = text_error(field, text, max_length=max_length, min_length=min_length)
    if error is None and not text.isascii() and any(unicodedata.category(c) == "Cf" for c in text):
        return FieldError(field, "invalid_characters", "Invisible characters are not allowed.")
    return error
