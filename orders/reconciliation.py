"""What must hold between orders, trades and the ledger.

Perpetual trades move no asset, so they are not among the trades that are compared with entries.
"""

from common.reconciliation import Check

# A buy sets the quote asset aside, a sell the base asset: currencies as cash, others as securities.
# Pending transfers and requested withdrawals hold what they are to take.
_HOLDS = """
SELECT coalesce(a.trading_account_id, o.account_id) AS account, s.code AS asset,
       coalesce(a.kind, o.kind) AS kind, coalesce(a.held, 0) AS held,
       coalesce(o.holds, 0) AS set_aside
  FROM (SELECT trading_account_id, asset_id, kind, held_amount AS held
          FROM ledger_ledgeraccount
         WHERE trading_account_id IS NOT NULL AND held_amount <> 0) a
  FULL JOIN (
       SELECT account_id, asset_id, kind, sum(amount) AS holds
         FROM (SELECT o.account_id,
                      h.id AS asset_id,
                      CASE h.kind WHEN 'SECURITY' THEN 'SECURITY' ELSE 'CASH' END AS kind,
                      o.hold_amount AS amount
                 FROM orders_order o JOIN marketdata_instrument i ON i.id = o.instrument_id
                 JOIN marketdata_asset h
                   ON h.id = CASE o.side WHEN 'BUY' THEN i.quote_asset_id ELSE i.base_asset_id END
                WHERE o.hold_amount <> 0
               UNION ALL
               SELECT a.trading_account_id, a.asset_id, a.kind, t.amount
                 FROM ledger_transfer t JOIN ledger_ledgeraccount a ON a.id = t.source_id
                WHERE t.status = 'PENDING'
               UNION ALL
               SELECT a.trading_account_id, a.asset_id, a.kind, r.amount
                 FROM ledger_moneyrequest r
                 JOIN ledger_ledgeraccount a ON a.id = r.ledger_account_id
                WHERE r.status = 'REQUESTED' AND r.kind = 'WITHDRAWAL') AS holds
        GROUP BY account_id, asset_id, kind) o
    ON o.account_id = a.trading_account_id AND o.asset_id = a.asset_id AND o.kind = a.kind
  JOIN marketdata_asset s ON s.id = coalesce(a.asset_id, o.asset_id)
 WHERE coalesce(a.held, 0) <> coalesce(o.holds, 0)
 ORDER BY 1, 2, 3
"""

_FILLS = """
SELECT o.id AS "order", o.filled_quantity, coalesce(f.quantity, 0) AS traded_quantity,
       o.maker_notional, coalesce(f.maker_notional, 0) AS maker_traded,
       o.taker_notional, coalesce(f.taker_notional, 0) AS taker_traded,
       o.maker_fee, coalesce(f.maker_fee, 0) AS maker_charged,
       o.taker_fee, coalesce(f.taker_fee, 0) AS taker_charged
  FROM orders_order o
  LEFT JOIN (
       SELECT order_id, sum(quantity) AS quantity,
              coalesce(sum(notional) FILTER (WHERE liquidity_role = 'MAKER'), 0) AS maker_notional,
              coalesce(sum(notional) FILTER (WHERE liquidity_role = 'TAKER'), 0) AS taker_notional,
              coalesce(sum(fee) FILTER (WHERE liquidity_role = 'MAKER'), 0) AS maker_fee,
              coalesce(sum(fee) FILTER (WHERE liquidity_role = 'TAKER'), 0) AS taker_fee
         FROM orders_fill GROUP BY order_id) f ON f.order_id = o.id
 WHERE (o.filled_quantity, o.maker_notional, o.taker_notional, o.maker_fee, o.taker_fee)
       IS DISTINCT FROM
       (coalesce(f.quantity, 0), coalesce(f.maker_notional, 0), coalesce(f.taker_notional, 0),
        coalesce(f.maker_fee, 0), coalesce(f.taker_fee, 0))
 ORDER BY o.id
"""

_COMPARED_TRADES = """
SELECT t.id FROM orders_trade t JOIN marketdata_instrument i ON i.id = t.instrument_id
 WHERE i.kind <> 'PERPETUAL'
"""

_ENTRIES = """
SELECT coalesce(t.id, e.id) AS trade, t.id IS NOT NULL AS has_trade, e.id IS NOT NULL AS has_entry
  FROM orders_trade t
  FULL JOIN (SELECT id FROM ledger_journalentry WHERE kind = 'TRADE') e ON e.id = t.id
 WHERE t.id IS NULL OR e.id IS NULL
 ORDER BY 1
"""

# Where an order is missing, the other side is the venue's dealer or external account.
_POSTINGS = """
WITH compared AS MATERIALIZED (
     SELECT t.*, i.base_asset_id, i.quote_asset_id,
            coalesce(t.buy_account_id::text, t.venue) AS buyer,
            coalesce(t.sell_account_id::text, t.venue) AS seller
       FROM orders_trade t JOIN marketdata_instrument i ON i.id = t.instrument_id
      WHERE i.kind <> 'PERPETUAL'),
said AS (
     SELECT trade_id, owner, asset_id, sum(amount) AS amount
       FROM (SELECT id AS trade_id, buyer AS owner, quote_asset_id AS asset_id,
                    - notional - buy_fee AS amount FROM compared
             UNION ALL SELECT id, seller, quote_asset_id, notional - sell_fee FROM compared
             UNION ALL SELECT id, 'FEES', quote_asset_id, buy_fee + sell_fee FROM compared
             UNION ALL SELECT id, buyer, base_asset_id, quantity FROM compared
             UNION ALL SELECT id, seller, base_asset_id, - quantity FROM compared) AS lines
      GROUP BY trade_id, owner, asset_id HAVING sum(amount) <> 0),
booked AS (
     SELECT c.id AS trade_id, coalesce(a.trading_account_id::text, a.kind) AS owner, p.asset_id,
            sum(p.amount) AS amount
       FROM compared c
       JOIN ledger_posting p ON p.entry_id = c.id
       JOIN ledger_ledgeraccount a ON a.id = p.ledger_account_id
      GROUP BY 1, 2, 3 HAVING sum(p.amount) <> 0)
SELECT trade_id AS trade, owner, s.code AS asset, said.amount AS trade_says,
       booked.amount AS entry_says
  FROM said FULL JOIN booked USING (trade_id, owner, asset_id)
  JOIN marketdata_asset s ON s.id = asset_id
 WHERE said.amount IS DISTINCT FROM booked.amount
 ORDER BY trade_id, owner, s.code
"""

_BROKER_NETS = """
SELECT broker_id AS broker, shard, s.code AS asset, coalesce(n.net_amount, 0) AS stored,
       coalesce(t.net_amount, 0) AS traded
  FROM orders_brokernet n
  FULL JOIN (
       SELECT a.broker_id, i.shard, i.quote_asset_id AS asset_id, sum(sided.amount) AS net_amount
         FROM (SELECT buy_account_id AS account_id, instrument_id, - notional AS amount
                 FROM orders_trade WHERE venue = 'BOOK'
               UNION ALL
               SELECT sell_account_id, instrument_id, notional
                 FROM orders_trade WHERE venue = 'BOOK') AS sided
         JOIN brokers_tradingaccount a ON a.id = sided.account_id
         JOIN marketdata_instrument i ON i.id = sided.instrument_id
        WHERE i.kind <> 'PERPETUAL'
        GROUP BY 1, 2, 3) t USING (broker_id, shard, asset_id)
  JOIN marketdata_asset s ON s.id = asset_id
 WHERE coalesce(n.net_amount, 0) <> coalesce(t.net_amount, 0)
 ORDER BY 1, 2, 3
"""

_POSITIONS = """
SELECT account_id AS account, i.symbol, coalesce(p.quantity, 0) AS quantity,
       coalesce(t.quantity, 0) AS traded_quantity
  FROM margin_position p
  FULL JOIN (
       SELECT account_id, instrument_id, sum(quantity) AS quantity
         FROM (SELECT buy_account_id AS account_id, instrument_id, quantity FROM orders_trade
               UNION ALL
               SELECT sell_account_id, instrument_id, - quantity FROM orders_trade) AS sided
         JOIN marketdata_instrument k ON k.id = sided.instrument_id AND k.kind = 'PERPETUAL'
        GROUP BY account_id, instrument_id) t USING (account_id, instrument_id)
  JOIN marketdata_instrument i ON i.id = instrument_id
 WHERE coalesce(p.quantity, 0) <> coalesce(t.quantity, 0)
 ORDER BY 1, 2
"""

_OPEN_SUMS = """
SELECT account_id AS account, i.symbol, coalesce(p.open_buy, 0) AS open_buy,
       coalesce(o.buy, 0) AS buy_orders, coalesce(p.open_sell, 0) AS open_sell,
       coalesce(o.sell, 0) AS sell_orders, coalesce(p.loss_reserve, 0) AS loss_reserve,
       coalesce(o.reserve, 0) AS order_reserves
  FROM margin_position p
  FULL JOIN (
       SELECT o.account_id, o.instrument_id, sum(o.margin_reserve) AS reserve,
              sum(o.quantity - o.filled_quantity) FILTER (WHERE o.side = 'BUY') AS buy,
              sum(o.quantity - o.filled_quantity) FILTER (WHERE o.side = 'SELL') AS sell
         FROM orders_order o
         JOIN marketdata_instrument k ON k.id = o.instrument_id AND k.kind = 'PERPETUAL'
        WHERE o.status IN ('OPEN', 'PARTIALLY_FILLED')
        GROUP BY o.account_id, o.instrument_id) o USING (account_id, instrument_id)
  JOIN marketdata_instrument i ON i.id = instrument_id
 WHERE (coalesce(p.open_buy, 0), coalesce(p.open_sell, 0), coalesce(p.loss_reserve, 0))
       IS DISTINCT FROM (coalesce(o.buy, 0), coalesce(o.sell, 0), coalesce(o.reserve, 0))
 ORDER BY 1, 2
"""

CHECKS = (
    Check(
        "position quantities",
        "A position is what the account bought less what it sold.",
        "SELECT 1 FROM margin_position",
        _POSITIONS,
    ),
    Check(
        "open sums",
        "Open quantities and loss reserve of a position are those of its open orders.",
        "SELECT 1 FROM margin_position",
        _OPEN_SUMS,
    ),
    Check(
        "holds",
        "What is held on an account is what its open orders, pending transfers and requested "
        "withdrawals set aside.",
        "SELECT 1 FROM orders_order WHERE status IN ('PENDING', 'OPEN', 'PARTIALLY_FILLED')",
        _HOLDS,
    ),
    Check(
        "fills",
        "Filled quantity, notional and fees of an order are the sums of its trades.",
        "SELECT 1 FROM orders_order",
        _FILLS,
    ),
    Check(
        "trade entries",
        "Every trade has its entry, and every entry of a trade its trade.",
        "SELECT 1 FROM orders_trade",
        _ENTRIES,
    ),
    Check(
        "trade postings",
        "The entry of a trade moves what the trade says.",
        _COMPARED_TRADES,
        _POSTINGS,
    ),
    Check(
        "broker nets",
        "The net of a broker is what it sold less what it bought on the book.",
        "SELECT 1 FROM orders_brokernet",
        _BROKER_NETS,
    ),
)
