"""Set-based writes of liquidations and of frozen collateral by the engine, in its transaction.

Money, prices and quantities are integers of 10^-8 here; they are scaled in SQL.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from common.postgres_arrays import integers, integers_or_null, texts, words
from margin.types import Freeze, LiquidationRow, StepRow

_INSERT_LIQUIDATIONS = """
INSERT INTO margin_liquidation
       (id, account_id, asset_id, outcome, collateral_before, collateral_after, equity_before,
        equity_after, maintenance_margin_before, maintenance_margin_after, fee, fund_result,
        bad_debt, executed_at)
SELECT u.id, u.account_id, u.asset_id, u.outcome, u.collateral_before * 0.00000001,
       u.collateral_after * 0.00000001, u.equity_before * 0.00000001, u.equity_after * 0.00000001,
       u.maintenance_before * 0.00000001, u.maintenance_after * 0.00000001, u.fee * 0.00000001,
       u.fund_result * 0.00000001, u.bad_debt * 0.00000001, %s::timestamptz
  FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::text[], %s::numeric[], %s::numeric[],
              %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[],
              %s::numeric[], %s::numeric[])
       AS u (id, account_id, asset_id, outcome, collateral_before, collateral_after, equity_before,
             equity_after, maintenance_before, maintenance_after, fee, fund_result, bad_debt)
"""
_INSERT_STEPS = """
INSERT INTO margin_liquidationstep
       (liquidation_id, number, kind, instrument_id, quantity, price, mark_price, amount,
        counterparty_id, order_id, equity_before, equity_after, maintenance_margin_before,
        maintenance_margin_after)
SELECT u.liquidation_id, u.number, u.kind, u.instrument_id, u.quantity * 0.00000001,
       u.price * 0.00000001, u.mark_price * 0.00000001, u.amount * 0.00000001, u.counterparty_id,
       u.order_id, u.equity_before * 0.00000001, u.equity_after * 0.00000001,
       u.maintenance_before * 0.00000001, u.maintenance_after * 0.00000001
  FROM unnest(%s::uuid[], %s::integer[], %s::text[], %s::bigint[], %s::numeric[], %s::numeric[],
              %s::numeric[], %s::numeric[], %s::bigint[], %s::uuid[], %s::numeric[], %s::numeric[],
              %s::numeric[], %s::numeric[])
       AS u (liquidation_id, number, kind, instrument_id, quantity, price, mark_price, amount,
             counterparty_id, order_id, equity_before, equity_after, maintenance_before,
             maintenance_after)
"""
# Who is frozen already keeps the reason, and nothing has changed.
_FREEZE = """
WITH frozen AS (
    INSERT INTO margin_marginaccount AS m
           (account_id, asset_id, is_frozen, frozen_reason, updated_at)
    SELECT u.account_id, u.asset_id, true, u.reason, %(now)s::timestamptz
      FROM unnest(%(accounts)s::bigint[], %(assets)s::bigint[], %(reasons)s::text[])
           AS u (account_id, asset_id, reason)
     ORDER BY 1, 2
        ON CONFLICT (account_id, asset_id) DO UPDATE
       SET is_frozen = true, frozen_reason = excluded.frozen_reason,
           updated_at = excluded.updated_at
     WHERE NOT m.is_frozen
 RETURNING account_id, asset_id, frozen_reason)
INSERT INTO margin_freezechange (account_id, asset_id, is_frozen, reason, actor, changed_at)
SELECT account_id, asset_id, true, frozen_reason, %(actor)s, %(now)s::timestamptz FROM frozen
"""


def insert_liquidations(
    executor: Any,
    liquidations: Sequence[LiquidationRow],
    steps: Sequence[StepRow],
    *,
    executed_at: datetime,
) -> None:
    """Add liquidations with their steps; `executor` is a cursor or a connection."""
    ids, accounts, assets, outcomes, *amounts = zip(*liquidations, strict=True)
    columns = [words(ids), integers(accounts), integers(assets), words(outcomes)]
    executor.execute(_INSERT_LIQUIDATIONS, [executed_at, *columns, *map(integers, amounts)])
    (
        liquidation_ids, numbers, kinds, instruments, quantities, prices, marks, step_amounts,
        counterparties, order_ids, *figures,
    ) = zip(*steps, strict=True)  # fmt: skip
    executor.execute(
        _INSERT_STEPS,
        [
            words(liquidation_ids),
            integers(numbers),
            words(kinds),
            *map(integers_or_null, (instruments, quantities, prices, marks)),
            integers(step_amounts),
            integers_or_null(counterparties),
            words(order_id or "NULL" for order_id in order_ids),
            *map(integers, figures),
        ],
    )


def freeze_collateral(
    executor: Any, freezes: Sequence[Freeze], *, actor: str, now: datetime
) -> None:
    """Freeze collateral, whose trading accounts are locked, and keep who did it and why.

    It may be frozen already.
    """
    accounts, assets, reasons = zip(*freezes, strict=True)
    given = {
        "accounts": integers(accounts),
        "assets": integers(assets),
        "reasons": texts(reasons),
        "actor": actor,
        "now": now,
    }
    executor.execute(_FREEZE, given)
