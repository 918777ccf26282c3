-- That a trade's orders and instrument are there is looked up once a statement too. Whoever inserts
-- locks no row for it: whoever deletes what may be pointed at first waits until nobody inserts, and
-- lets nobody begin before he has ended. That is rare, and may cost more.
CREATE FUNCTION orders_check_trade_keys() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off AS $$
DECLARE
    orders uuid[];
    instruments bigint[];
    found bigint;
BEGIN
    SELECT array_agg(DISTINCT order_id) INTO orders FROM
        (SELECT buy_order_id AS order_id FROM new_trades
          UNION ALL SELECT sell_order_id FROM new_trades) AS halves
     WHERE order_id IS NOT NULL;
    SELECT count(*) INTO found FROM orders_order WHERE id = ANY (orders);
    IF found <> coalesce(cardinality(orders), 0) THEN
        RAISE EXCEPTION 'a trade of an order that is not there'
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'trade_has_orders';
    END IF;
    SELECT array_agg(DISTINCT instrument_id) INTO instruments FROM new_trades;
    SELECT count(*) INTO found FROM marketdata_instrument WHERE id = ANY (instruments);
    IF found <> coalesce(cardinality(instruments), 0) THEN
        RAISE EXCEPTION 'a trade in an instrument that is not there'
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'trade_has_instrument';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER trade_has_orders_and_instrument AFTER INSERT ON orders_trade
    REFERENCING NEW TABLE AS new_trades
    FOR EACH STATEMENT EXECUTE FUNCTION orders_check_trade_keys();

CREATE FUNCTION orders_refuse_other_trade_keys() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'trade % keeps its orders and its instrument', OLD.id
        USING ERRCODE = 'check_violation', CONSTRAINT = 'trade_keeps_its_keys';
END $$;

CREATE TRIGGER trade_keeps_its_keys
    AFTER UPDATE OF buy_order_id, sell_order_id, instrument_id ON orders_trade
    FOR EACH ROW EXECUTE FUNCTION orders_refuse_other_trade_keys();

CREATE FUNCTION orders_keep_traded_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    LOCK TABLE orders_trade IN SHARE MODE;
    IF EXISTS (SELECT FROM orders_trade WHERE OLD.id IN (buy_order_id, sell_order_id)) THEN
        RAISE EXCEPTION 'order % has trades', OLD.id
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'trade_has_orders';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER trade_has_orders AFTER DELETE OR UPDATE OF id ON orders_order
    FOR EACH ROW EXECUTE FUNCTION orders_keep_traded_order();

-- The keys of orders in the same way.
CREATE OR REPLACE FUNCTION orders_check_keys() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off AS $$
DECLARE
    accounts bigint[];
    instruments bigint[];
    found bigint;
BEGIN
    SELECT array_agg(DISTINCT account_id), array_agg(DISTINCT instrument_id)
      INTO accounts, instruments FROM new_orders;
    SELECT count(*) INTO found FROM brokers_tradingaccount WHERE id = ANY (accounts);
    IF found <> coalesce(cardinality(accounts), 0) THEN
        RAISE EXCEPTION 'an order of an account that is not there'
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'order_has_account';
    END IF;
    SELECT count(*) INTO found FROM marketdata_instrument WHERE id = ANY (instruments);
    IF found <> coalesce(cardinality(instruments), 0) THEN
        RAISE EXCEPTION 'an order for an instrument that is not there'
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'order_has_instrument';
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION orders_keep_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    LOCK TABLE orders_order IN SHARE MODE;
    IF EXISTS (SELECT FROM orders_order WHERE account_id = OLD.id) THEN
        RAISE EXCEPTION 'trading account % has orders', OLD.id
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'order_has_account';
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION orders_keep_instrument() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    LOCK TABLE orders_order, orders_trade IN SHARE MODE;
    IF EXISTS (SELECT FROM orders_order WHERE instrument_id = OLD.id)
       OR EXISTS (SELECT FROM orders_trade WHERE instrument_id = OLD.id) THEN
        RAISE EXCEPTION 'instrument % has orders', OLD.id
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'order_has_instrument';
    END IF;
    RETURN NULL;
END $$;
