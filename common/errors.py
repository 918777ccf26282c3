"""The error family of the venue: one class per broken rule, each with a stable code and a status.

An error carries its facts as attributes in `facts`; `common.api.problems` turns it into an RFC 9457
document. A refused order is an event and a row, not an exception: see `orders.types.Reason`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field of a request: `field` is a dotted path, `code` is stable."""

    field: str
    code: str
    detail: str


# Field errors that an answer lists; a body may have tens of thousands.
SHOWN_ERRORS_MAX = 50


class ExchangeError(Exception):
    """Base of everything that the venue refuses. The docstring of a subclass is its title.

    `left_out` counts field errors that are not among its `errors`, since there are so many.
    """

    code = "error"
    status = 400
    retry_after_seconds: int | None = None

    def __init__(
        self,
        detail: str = "",
        *,
        errors: Sequence[FieldError] = (),
        left_out: int = 0,
        **facts: Any,
    ) -> None:
        self.detail = detail or self.title()
        self.errors = tuple(errors)
        self.left_out = left_out
        self.facts: Mapping[str, Any] = facts
        super().__init__(self.detail)

    @classmethod
    def title(cls) -> str:
        """First sentence of the class's docstring, which names the broken rule."""
        first_line = (cls.__doc__ or cls.__name__).split("\n")[0]
        return first_line.split(". ")[0].rstrip(".")


def shown_errors(error: ExchangeError) -> Sequence[FieldError]:
    """The field errors of an answer: the first ones, and how many more there are."""
    left_out = max(0, len(error.errors) - SHOWN_ERRORS_MAX) + error.left_out
    if not left_out:
        return error.errors
    rest = FieldError("", "more_errors", f"{left_out} more errors are not listed.")
    return (*error.errors[:SHOWN_ERRORS_MAX], rest)


class MovedPermanently(ExchangeError):
    """This is under /api/v1/. Facts: location."""

    code = "moved"
    status = 308


class MalformedRequest(ExchangeError):
    """The request is not well-formed."""

    code = "malformed"
    status = 400


class InvalidIdempotencyKey(MalformedRequest):
    """The header Idempotency-Key must be 1 to 255 printable ASCII characters."""

    code = "invalid_idempotency_key"


class NotAuthenticated(ExchangeError):
    """The API key is missing, wrong, expired or revoked."""

    code = "not_authenticated"
    status = 401


class PermissionDenied(ExchangeError):
    """The caller may not do this."""

    code = "permission_denied"
    status = 403


class NotFound(ExchangeError):
    """There is no such thing."""

    code = "not_found"
    status = 404


class MethodNotAllowed(ExchangeError):
    """The address exists, but not for this method."""

    code = "method_not_allowed"
    status = 405


class Conflict(ExchangeError):
    """The request conflicts with the present state."""

    code = "conflict"
    status = 409


class AnswerNotKept(Conflict):
    """The request was done before; its answer held a secret, which is shown once."""

    code = "answer_not_kept"


class LengthRequired(ExchangeError):
    """The request body must be sent with a Content-Length."""

    code = "length_required"
    status = 411


class PayloadTooLarge(ExchangeError):
    """The request body is too large."""

    code = "too_large"
    status = 413


class UnsupportedMediaType(ExchangeError):
    """The request body is not JSON."""

    code = "unsupported_media_type"
    status = 415


class ValidationFailed(ExchangeError):
    """Some fields are not valid."""

    code = "invalid"
    status = 422


class StoredRefusal(ExchangeError):
    """The refusal is itself a fact that is stored: what was written with it stays written."""

    code = "refused"
    status = 422


class Throttled(ExchangeError):
    """Too many requests."""

    code = "throttled"
    status = 429
    retry_after_seconds = 1
    # What is left of the limit that was reached, for the headers.
    rate_limit: Any = None
    # Whether it is the first one beyond the limit.
    is_first = False


class InternalError(ExchangeError):
    """Something went wrong on our side."""

    code = "internal_error"
    status = 500


class VenueUnavailable(ExchangeError):
    """The venue is busy or has no engine at the moment."""

    code = "venue_unavailable"
    status = 503
    retry_after_seconds = 1


class TooManyLargeBodies(VenueUnavailable):
    """Too many large request bodies are being received; nothing was done."""

    code = "too_many_large_bodies"


class OutcomeUnknown(ExchangeError):
    """The outcome is not known yet; ask for the order by its id or client_order_id."""

    code = "outcome_unknown"
    status = 504
    retry_after_seconds = 1
