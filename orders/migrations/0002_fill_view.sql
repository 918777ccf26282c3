-- One order's half of a trade. Filters on order_id or account_id reach the indexes of both branches.
CREATE VIEW orders_fill AS
SELECT t.id || '-BUY' AS id, t.id AS trade_id, t.buy_order_id AS order_id,
       t.buy_account_id AS account_id, t.instrument_id, t.sell_account_id AS counter_account_id,
       'BUY' AS side, CASE t.taker_side WHEN 'BUY' THEN 'TAKER' ELSE 'MAKER' END AS liquidity_role,
       t.price, t.quantity, t.notional, t.buy_fee AS fee, t.executed_at
  FROM orders_trade t WHERE t.buy_order_id IS NOT NULL
UNION ALL
SELECT t.id || '-SELL', t.id, t.sell_order_id,
       t.sell_account_id, t.instrument_id, t.buy_account_id,
       'SELL', CASE t.taker_side WHEN 'SELL' THEN 'TAKER' ELSE 'MAKER' END,
       t.price, t.quantity, t.notional, t.sell_fee, t.executed_at
  FROM orders_trade t WHERE t.sell_order_id IS NOT NULL;

-- Resting orders change as they fill: room on the page.
ALTER TABLE orders_order SET (fillfactor = 80);
