"""What a broker is told of its accounts' margin. Pure."""

import json
from datetime import datetime
from decimal import Decimal

from common.money import plain

MARGIN_CALL = "margin_call"


def margin_call_payload(
    *,
    call_id: int,
    account_id: int,
    document_number: str,
    asset: str,
    level: Decimal,
    equity: Decimal,
    maintenance_margin: Decimal,
    raised_at: datetime,
) -> str:
    """The body; `level` is the margin ratio that was reached, money is in the quote asset."""
    return json.dumps(
        {
            "event": MARGIN_CALL,
            "margin_call_id": call_id,
            "account_id": account_id,
            "document_number": document_number,
            "asset": asset,
            "level": plain(level),
            "equity": plain(equity),
            "maintenance_margin": plain(maintenance_margin),
            "raised_at": raised_at.isoformat().replace("+00:00", "Z"),
        }
    )
