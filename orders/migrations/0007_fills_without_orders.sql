-- As in 0002, with the halves of forced trades that no order stands for: liquidation takes a position
-- over, or closes it against another one, off the book.
CREATE OR REPLACE VIEW orders_fill AS
SELECT t.id || '-BUY' AS id, t.id AS trade_id, t.buy_order_id AS order_id,
       t.buy_account_id AS account_id, t.instrument_id, t.sell_account_id AS counter_account_id,
       'BUY' AS side, CASE t.taker_side WHEN 'BUY' THEN 'TAKER' ELSE 'MAKER' END AS liquidity_role,
       t.price, t.quantity, t.notional, t.buy_fee AS fee, t.executed_at
  FROM orders_trade t WHERE t.buy_order_id IS NOT NULL OR t.venue = 'FORCED'
UNION ALL
SELECT t.id || '-SELL', t.id, t.sell_order_id,
       t.sell_account_id, t.instrument_id, t.buy_account_id,
       'SELL', CASE t.taker_side WHEN 'SELL' THEN 'TAKER' ELSE 'MAKER' END,
       t.price, t.quantity, t.notional, t.sell_fee, t.executed_at
  FROM orders_trade t WHERE t.sell_order_id IS NOT NULL OR t.venue = 'FORCED';
