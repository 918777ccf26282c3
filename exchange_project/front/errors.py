"""What the front refuses."""

from common.errors import OutcomeUnknown, Throttled, VenueUnavailable


class TooManySlowRequests(Throttled):
    """As many exports or price look-ups are running as may at once."""

    code = "too_many_slow_requests"
    retry_after_seconds = 5


class DjangoBusy(VenueUnavailable):
    """Too many requests are waiting; nothing was done."""

    code = "too_many_waiting"


class DjangoUnavailable(VenueUnavailable):
    """This part of the venue is starting or down; nothing was done."""

    code = "starting"


class AnswerLost(OutcomeUnknown):
    """The answer was lost on its way; whether the request was executed is not known."""

    code = "answer_lost"
