"""What must hold between positions, clearing accounts, liquidations, funding and their entries."""

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

_FUNDINGS = """
SELECT f.id AS funding, f.paid, coalesce(p.paid, 0) AS payments_paid, f.received,
       coalesce(p.received, 0) AS payments_received, f.remainder,
       f.booked_at IS NOT NULL AND coalesce(p.unbooked, 0) > 0 AS is_booked_too_early
  FROM margin_funding f
  LEFT JOIN (SELECT funding_id, coalesce(-sum(amount) FILTER (WHERE amount < 0), 0) AS paid,
                    coalesce(sum(amount) FILTER (WHERE amount > 0), 0) AS received,
                    count(*) FILTER (WHERE booked_at IS NULL) AS unbooked
               FROM margin_fundingpayment GROUP BY funding_id) p ON p.funding_id = f.id
 WHERE (f.paid, f.received) IS DISTINCT FROM (coalesce(p.paid, 0), coalesce(p.received, 0))
    OR f.paid <> f.received + f.remainder
    OR f.booked_at IS NOT NULL AND p.unbooked > 0
 ORDER BY f.id
"""

_FUNDING_ENTRIES = """
SELECT coalesce(p.entry_id, e.id) AS entry, p.amount, e.amount AS entry_says
  FROM (SELECT entry_id, amount FROM margin_fundingpayment WHERE booked_at IS NOT NULL) p
  FULL JOIN (
       SELECT j.id, -l.amount AS amount
         FROM ledger_journalentry j
         JOIN ledger_posting l ON l.entry_id = j.id
         JOIN ledger_ledgeraccount a ON a.id = l.ledger_account_id AND a.kind = 'FUNDING'
        WHERE j.kind = 'FUNDING' AND j.source_kind = 'funding') e ON e.id = p.entry_id
 WHERE p.amount IS DISTINCT FROM e.amount
 ORDER BY 1
"""

# What the booked payments of a funding have brought is there until its last one is booked.
_FUNDING_IN_TRANSIT = """
SELECT s.code AS asset, coalesce(a.total, 0) AS in_transit, coalesce(p.total, 0) AS booked_so_far
  FROM marketdata_asset s
  LEFT JOIN (SELECT asset_id, sum(posted_balance) AS total
               FROM ledger_ledgeraccount WHERE kind = 'FUNDING' GROUP BY asset_id) a
    ON a.asset_id = s.id
  LEFT JOIN (SELECT i.quote_asset_id, -sum(p.amount) AS total
               FROM margin_funding f
               JOIN marketdata_instrument i ON i.id = f.instrument_id
               JOIN margin_fundingpayment p ON p.funding_id = f.id AND p.booked_at IS NOT NULL
              WHERE f.booked_at IS NULL GROUP BY i.quote_asset_id) p ON p.quote_asset_id = s.id
 WHERE coalesce(a.total, 0) <> coalesce(p.total, 0)
 ORDER BY s.code
"""

# A fee goes from the account to the fund, a bad debt the other way.
_LIQUIDATION_ENTRIES = """
SELECT coalesce(l.id, e.source_id) AS liquidation, l.fee, e.fee AS entry_fee, l.bad_debt,
       e.bad_debt AS entry_bad_debt
  FROM (SELECT id, fee, bad_debt FROM margin_liquidation WHERE fee > 0 OR bad_debt > 0) l
  FULL JOIN (
       SELECT j.source_id,
              coalesce(sum(p.amount) FILTER (WHERE j.kind = 'LIQUIDATION'), 0) AS fee,
              coalesce(-sum(p.amount) FILTER (WHERE j.kind = 'BAD_DEBT'), 0) AS bad_debt
         FROM ledger_journalentry j
         JOIN ledger_posting p ON p.entry_id = j.id
         JOIN ledger_ledgeraccount a ON a.id = p.ledger_account_id AND a.kind = 'INSURANCE'
        WHERE j.kind IN ('LIQUIDATION', 'BAD_DEBT')
        GROUP BY j.source_id) e ON e.source_id = l.id
 WHERE (l.fee, l.bad_debt) IS DISTINCT FROM (e.fee, e.bad_debt)
 ORDER BY 1
"""

_LIQUIDATION_STEPS = """
SELECT l.id AS liquidation, l.equity_before, first.equity_before AS first_step,
       l.equity_after, last.equity_after AS last_step, l.fee, s.fee AS step_fee, l.bad_debt,
       s.bad_debt AS step_bad_debt
  FROM margin_liquidation l
  LEFT JOIN (SELECT liquidation_id, max(number) AS last,
                    coalesce(sum(amount) FILTER (WHERE kind = 'FEE'), 0) AS fee,
                    coalesce(sum(amount) FILTER (WHERE kind = 'BAD_DEBT'), 0) AS bad_debt
               FROM margin_liquidationstep GROUP BY liquidation_id) s ON s.liquidation_id = l.id
  LEFT JOIN margin_liquidationstep first ON first.liquidation_id = l.id AND first.number = 1
  LEFT JOIN margin_liquidationstep last ON last.liquidation_id = l.id AND last.number = s.last
 WHERE (l.equity_before, l.equity_after, l.fee, l.bad_debt)
       IS DISTINCT FROM (first.equity_before, last.equity_after, s.fee, s.bad_debt)
 ORDER BY l.id
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
    Check(
        "liquidation entries",
        "Fee and bad debt of every liquidation have their entries, and such entries a liquidation.",
        "SELECT 1 FROM margin_liquidation",
        _LIQUIDATION_ENTRIES,
    ),
    Check(
        "liquidation steps",
        "The steps of a liquidation lead from what it began with to what it ended with.",
        "SELECT 1 FROM margin_liquidation",
        _LIQUIDATION_STEPS,
    ),
    Check(
        "fundings",
        "What a funding's payments pay is what they receive and the remainder.",
        "SELECT 1 FROM margin_funding",
        _FUNDINGS,
    ),
    Check(
        "funding entries",
        "Every booked payment of a funding has its entry, and every such entry its payment.",
        "SELECT 1 FROM margin_fundingpayment WHERE booked_at IS NOT NULL",
        _FUNDING_ENTRIES,
    ),
    Check(
        "funding in transit",
        "The funding account holds what is booked of fundings that are not booked whole.",
        "SELECT 1 FROM margin_funding",
        _FUNDING_IN_TRANSIT,
    ),
)
