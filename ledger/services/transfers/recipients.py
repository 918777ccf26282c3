"""From an email address to the wallet that takes the money."""

from collections.abc import Sequence
from uuid import UUID

from django.conf import settings

from brokers.selectors import find_retail_broker
from common.postgres_arrays import integers, texts, words
from ledger.bulk import ensure_client_accounts
from ledger.bulk.sql import Cursor
from ledger.services.transfers.orders import TransferOrder
from ledger.types import AccountKind

# A person with several accounts at the retail broker gets the money on the first.
_FIND = """
SELECT k.id, r.account_id, s.asset_id, d.broker_id, d.id
  FROM unnest(%s::uuid[], %s::text[], %s::bigint[]) AS k (id, email, source_id)
  JOIN ledger_ledgeraccount s ON s.id = k.source_id AND s.kind = 'CASH'
  JOIN brokers_tradingaccount d ON d.id = s.trading_account_id
 CROSS JOIN LATERAL (
       SELECT t.id AS account_id
         FROM brokers_user u JOIN brokers_tradingaccount t ON t.owner_id = u.id
        WHERE lower(u.email) = lower(k.email) AND u.status <> 'CLOSED' AND t.broker_id = %s
          AND (u.email_verified_at IS NOT NULL OR NOT %s)
        ORDER BY t.id LIMIT 1) r
"""


def find_destinations(cursor: Cursor, orders: Sequence[TransferOrder]) -> dict[UUID, int | None]:
    """The wallet of each order that names a person, in the currency of its source, by order id.

    A missing one is opened, if the source is the caller's. None, or no member: there is no such
    person, or, with REQUIRE_VERIFIED_EMAIL, nobody has verified the address: who registers with
    that of another is not paid in their place. New wallets come before any lock, in order, so that
    nobody waits in a circle.
    """
    by_id = {order.id: order for order in orders if order.to_email is not None}
    if not by_id:
        return {}
    broker = find_retail_broker()
    if broker is None:
        return {}
    named = list(by_id.values())
    columns = [
        words(order.id.hex for order in named),
        texts(order.to_email or "" for order in named),
        integers(order.source_id for order in named),
    ]
    cursor.execute(_FIND, [*columns, broker.id, settings.REQUIRE_VERIFIED_EMAIL])
    wanted = {
        id: (account_id, asset_id, AccountKind.CASH.value)
        for id, account_id, asset_id, broker_id, source_account_id in cursor.fetchall()
        if by_id[id].is_owner_of(broker_id=broker_id, account_id=source_account_id)
    }
    wallets = ensure_client_accounts(cursor, wanted.values())
    return {id: wallets.get(key) for id, key in wanted.items()}
