"""What must hold between positions and the clearing accounts of perpetuals."""

from common.reconciliation import Check

_QUANTITIES = """
SELECT i.symbol, sum(p.quantity) AS quantity
  FROM margin_position p JOIN marketdata_instrument i ON i.id = p.instrument_id
 GROUP BY i.symbol HAVING sum(p.quantity) <> 0
 ORDER BY i.symbol
"""

_COSTS = """
SELECT s.code AS asset, coalesce(c.total, 0) AS clearing, coalesce(p.total, 0) AS cost_basis
  FROM marketdata_asset s
  LEFT JOIN (SELECT asset_id, sum(posted_balance) AS total
               FROM ledger_ledgeraccount WHERE kind = 'CLEARING' GROUP BY asset_id) c
    ON c.asset_id = s.id
  LEFT JOIN (SELECT i.quote_asset_id, sum(p.cost_basis) AS total
               FROM margin_position p JOIN marketdata_instrument i ON i.id = p.instrument_id
              GROUP BY i.quote_asset_id) p ON p.quote_asset_id = s.id
 WHERE coalesce(c.total, 0) + coalesce(p.total, 0) <> 0
 ORDER BY s.code
"""

CHECKS = (
    Check(
        "positions",
        "The positions of a perpetual, with the dealer's, sum to zero.",
        "SELECT 1 FROM margin_position",
        _QUANTITIES,
    ),
    Check(
        "clearing",
        "The clearing accounts of a quote asset and the cost of its positions sum to zero.",
        "SELECT 1 FROM margin_position",
        _COSTS,
    ),
)
