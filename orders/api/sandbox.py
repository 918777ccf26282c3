"""How answers go wrong for a sandbox account that wants them to: late, or not at all.

The view says so in headers of its response, and the front of the venue, which strips them, waits or
hangs up. So no thread waits for what a caller has chosen.
"""

from collections.abc import Callable
from contextlib import suppress

from django.http import HttpResponse, HttpResponseBase
from rest_framework.request import Request

from brokers.api.callers import caller_of
from common.api.problems import handle_exception
from common.errors import ExchangeError
from orders.services.sandbox import Trigger, delay_seconds, find_trigger_of_request

# Seconds that the front holds a response back; and that it sends none and hangs up.
DELAY_HEADER = "Bourse-Delay-Seconds"
DROP_HEADER = "Bourse-Drop"


def answer_as_forced(
    request: Request,
    *,
    account_id: int | None,
    document_number: str | None = None,
    client_order_id: str | None,
    answer: Callable[[], HttpResponseBase],
) -> HttpResponseBase:
    """What `answer` returns, with the header of what the account forces.

    Raises:
        ExchangeError: what `answer` raises, where nothing is forced.
    """
    trigger = find_trigger_of_request(
        principal=caller_of(request),
        account_id=account_id,
        document_number=document_number,
        client_order_id=client_order_id,
    )
    if trigger == Trigger.DISCONNECT:
        with suppress(ExchangeError):  # the client does not hear of it
            answer()
        return HttpResponse(headers={DROP_HEADER: "1"})
    if trigger != Trigger.DELAY or client_order_id is None:
        return answer()
    try:
        response = answer()
    except ExchangeError as refusal:
        response = handle_exception(refusal, {"request": request})
    response.headers[DELAY_HEADER] = str(delay_seconds(client_order_id))
    return response
