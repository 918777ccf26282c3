"""What must hold within the ledger, whoever wrote it."""

from common.reconciliation import Check

_BALANCES = """
SELECT a.id AS ledger_account, a.posted_balance, coalesce(p.total, 0) AS postings,
       a.version, coalesce(p.lines, 0) AS lines
  FROM ledger_ledgeraccount a
  LEFT JOIN (SELECT ledger_account_id, sum(amount) AS total, count(*) AS lines
               FROM ledger_posting GROUP BY ledger_account_id) p ON p.ledger_account_id = a.id
 WHERE a.posted_balance <> coalesce(p.total, 0) OR a.version <> coalesce(p.lines, 0)
 ORDER BY a.id
"""

_CHAINS = """
SELECT ledger_account_id AS ledger_account, id AS posting, account_version, version_expected,
       balance_after, balance_expected
  FROM (SELECT ledger_account_id, id, account_version, balance_after,
               row_number() OVER account AS version_expected,
               sum(amount) OVER account AS balance_expected
          FROM ledger_posting
        WINDOW account AS (PARTITION BY ledger_account_id ORDER BY account_version
                            ROWS UNBOUNDED PRECEDING)) AS chain
 WHERE account_version <> version_expected OR balance_after <> balance_expected
 ORDER BY ledger_account_id, account_version
"""

_ASSETS = """
SELECT s.code AS asset, coalesce(b.total, 0) AS balances, coalesce(p.total, 0) AS postings
  FROM marketdata_asset s
  LEFT JOIN (SELECT asset_id, sum(posted_balance) AS total
               FROM ledger_ledgeraccount GROUP BY asset_id) b ON b.asset_id = s.id
  LEFT JOIN (SELECT asset_id, sum(amount) AS total
               FROM ledger_posting GROUP BY asset_id) p ON p.asset_id = s.id
 WHERE coalesce(b.total, 0) <> 0 OR coalesce(p.total, 0) <> 0
 ORDER BY s.code
"""

_ENTRIES = """
SELECT entry_id AS entry, s.code AS asset, total
  FROM (SELECT entry_id, asset_id, sum(amount) AS total
          FROM ledger_posting GROUP BY entry_id, asset_id HAVING sum(amount) <> 0) AS broken
  JOIN marketdata_asset s ON s.id = broken.asset_id
 ORDER BY entry_id, s.code
"""

CHECKS = (
    Check(
        "balances",
        "The balance of an account is the sum of its postings.",
        "SELECT 1 FROM ledger_ledgeraccount",
        _BALANCES,
    ),
    Check(
        "chains",
        "Each posting continues the balance and the version of the one before.",
        "SELECT 1 FROM ledger_posting",
        _CHAINS,
    ),
    Check(
        "assets",
        "Over all accounts, every asset sums to zero.",
        "SELECT 1 FROM marketdata_asset",
        _ASSETS,
    ),
    Check(
        "entries",
        "The postings of an entry sum to zero for each asset.",
        "SELECT 1 FROM ledger_journalentry",
        _ENTRIES,
    ),
)
