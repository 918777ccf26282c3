"""Margin calls: who comes near liquidation is asked for collateral, once for each level.

A call is raised when the margin ratio (maintenance margin / equity) reaches a level of
`MARGIN_CALL_LEVELS`, and resolved when it is `RESOLVED_BELOW` under it: an account that wavers
around a level is called once. Without equity above zero an account is above every level. The
broker is told by webhook, a person with a proven address by mail.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.template.loader import render_to_string

from brokers.bulk import WebhookEvent, queue_webhook_events
from brokers.services.mails import queue_notice
from common.database import allow_long_statements, retry_on_conflict
from common.money import plain
from common.postgres_arrays import integers, words
from margin import webhooks
from margin.locks import try_lock_margin_calls
from margin.selectors.liquidations import NearAccount
from margin.selectors.report import call_ratio

RESOLVED_BELOW = Decimal("0.05")
_STATEMENT_SECONDS = 30

# Who has an open call and is not near is far enough away. The rows of both parts never meet.
_UPDATE = """
WITH near AS MATERIALIZED (
    SELECT * FROM unnest(%(accounts)s::bigint[], %(assets)s::bigint[], %(equities)s::numeric[],
                         %(margins)s::numeric[])
               AS u (account_id, asset_id, equity, maintenance_margin)
     WHERE maintenance_margin > 0),
resolved AS (
    UPDATE margin_margincall c SET resolved_at = %(now)s
     WHERE c.resolved_at IS NULL AND NOT EXISTS (
           SELECT FROM near n
            WHERE n.account_id = c.account_id AND n.asset_id = c.asset_id
              AND n.maintenance_margin >= n.equity * (c.level - %(resolved_below)s))),
raised AS (
    INSERT INTO margin_margincall
           (account_id, asset_id, level, equity, maintenance_margin, raised_at)
    SELECT n.account_id, n.asset_id, l.level, n.equity, n.maintenance_margin, %(now)s
      FROM near n CROSS JOIN unnest(%(levels)s::numeric[]) AS l (level)
     WHERE n.maintenance_margin >= n.equity * l.level
       AND NOT EXISTS (
           SELECT FROM margin_margincall o
            WHERE o.account_id = n.account_id AND o.asset_id = n.asset_id
              AND o.level = l.level AND o.resolved_at IS NULL)
     ORDER BY n.account_id, n.asset_id, l.level
        ON CONFLICT (account_id, asset_id, level) WHERE resolved_at IS NULL DO NOTHING
 RETURNING id, account_id, asset_id, level, equity, maintenance_margin)
SELECT r.id, r.account_id, t.document_number, t.broker_id, s.code, r.level, r.equity,
       r.maintenance_margin, u.id
  FROM raised r
  JOIN brokers_tradingaccount t ON t.id = r.account_id
  JOIN marketdata_asset s ON s.id = r.asset_id
  LEFT JOIN brokers_user u ON u.id = t.owner_id AND u.email_verified_at IS NOT NULL
 ORDER BY r.id
"""


@dataclass(frozen=True, slots=True)
class RaisedCall:
    """A margin call that was just raised; money in the quote asset `asset`.

    `user_id` is the person who owns the account and has proven the address.
    """

    id: int
    account_id: int
    document_number: str
    broker_id: UUID
    asset: str
    level: Decimal
    equity: Decimal
    maintenance_margin: Decimal
    user_id: UUID | None


def call_from_ratio() -> Decimal:
    """From which margin ratio on an account matters here: to be called, or not to be let go yet."""
    return call_ratio() - RESOLVED_BELOW


@retry_on_conflict
@transaction.atomic
def update_margin_calls(*, near: Sequence[NearAccount], now: datetime) -> list[RaisedCall]:
    """Raise the calls that are due and resolve those that are over, all in one statement.

    `near` are all accounts from the margin ratio `call_from_ratio` on. Brokers and persons are told
    after the commit. Nothing where another run is at it: the next one finds what it has missed.
    """
    if not try_lock_margin_calls():
        return []
    allow_long_statements(_STATEMENT_SECONDS)
    given: dict[str, Any] = {
        "accounts": integers(one.account_id for one in near),
        "assets": integers(one.asset_id for one in near),
        "equities": words(str(one.equity) for one in near),
        "margins": words(str(one.maintenance_margin) for one in near),
        "now": now,
        "levels": list(settings.MARGIN_CALL_LEVELS),
        "resolved_below": RESOLVED_BELOW,
    }
    with connection.cursor() as cursor:
        cursor.execute(_UPDATE, given)
        raised = [RaisedCall(*row) for row in cursor.fetchall()]
        queue_webhook_events(cursor, [_event(call, now) for call in raised])
    _queue_mails(raised)
    return raised


def _event(call: RaisedCall, now: datetime) -> WebhookEvent:
    payload = webhooks.margin_call_payload(
        call_id=call.id,
        account_id=call.account_id,
        document_number=call.document_number,
        asset=call.asset,
        level=call.level,
        equity=call.equity,
        maintenance_margin=call.maintenance_margin,
        raised_at=now,
    )
    return WebhookEvent(call.broker_id.bytes, webhooks.MARGIN_CALL, payload, now)


def _queue_mails(raised: Sequence[RaisedCall]) -> None:
    """One mail for each collateral, of the highest level that was reached."""
    highest = {(call.account_id, call.asset): call for call in raised}
    for call in highest.values():
        if call.user_id is not None:
            queue_notice(user_id=call.user_id, subject="Margin call", text=_mail_text(call))


def _mail_text(call: RaisedCall) -> str:
    context = {
        "call": call,
        "level": plain(call.level),
        "equity": plain(call.equity),
        "maintenance_margin": plain(call.maintenance_margin),
    }
    return render_to_string("margin/mail/margin_call.txt", context)
