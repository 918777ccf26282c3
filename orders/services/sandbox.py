"""What a sandbox account can force by the prefix of a client_order_id, for tests of bots.

On every other account, and where SANDBOX_ACCOUNTS is off, these prefixes mean nothing.
"""

import re
from enum import StrEnum

from django.conf import settings

from brokers.models import TradingAccount
from brokers.selectors import find_account
from brokers.types import Principal

DELAY_SECONDS_MAX = 10
_PREFIX = re.compile(r"sim-(reject|partial|disconnect|delay-([0-9]{1,2})s)-")


class Trigger(StrEnum):
    """Refused; filled by half, the rest canceled; answered late; carried out and not answered."""

    REJECT = "reject"
    PARTIAL = "partial"
    DELAY = "delay"
    DISCONNECT = "disconnect"


def find_trigger(account: TradingAccount, client_order_id: str | None) -> Trigger | None:
    """What this client_order_id forces on this account."""
    return parse_trigger(client_order_id) if account.is_sandbox else None


def parse_trigger(client_order_id: str | None) -> Trigger | None:
    """What a client_order_id would force on a sandbox account."""
    found = _PREFIX.match(client_order_id or "")
    return None if found is None else Trigger(found[1].partition("-")[0])


def find_trigger_of_request(
    *,
    principal: Principal,
    account_id: int | None,
    document_number: str | None,
    client_order_id: str | None,
) -> Trigger | None:
    """What a request for an order forces, if the account that it is for is a sandbox of the caller.

    An account that a first order is about to open is none.
    """
    if not settings.SANDBOX_ACCOUNTS or parse_trigger(client_order_id) is None:
        return None
    broker_id = principal.own_broker_id
    if account_id is None and principal.account_id is None and document_number is not None:
        account = find_account(broker_id=broker_id, document_number=document_number)
    else:
        wanted_id = account_id or principal.account_id or 0
        account = TradingAccount.objects.filter(id=wanted_id, broker_id=broker_id).first()
    return None if account is None else find_trigger(account, client_order_id)


def delay_seconds(client_order_id: str) -> int:
    """How long the answer waits: what `sim-delay-2s-` says, at most ten seconds."""
    found = _PREFIX.match(client_order_id)
    return min(int(found[2]), DELAY_SECONDS_MAX) if found and found[2] else 0
