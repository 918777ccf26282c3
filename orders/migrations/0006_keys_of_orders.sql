-- That an order's account and instrument are there is looked up once a statement, as a foreign key
-- would do it for each row: with a lock that keeps the row, and a look back when one is deleted.
CREATE FUNCTION orders_check_keys() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off AS $$
DECLARE
    accounts bigint[];
    instruments bigint[];
    found bigint;
BEGIN
    SELECT array_agg(DISTINCT account_id), array_agg(DISTINCT instrument_id)
      INTO accounts, instruments FROM new_orders;
    SELECT count(*) INTO found FROM
        (SELECT FROM brokers_tradingaccount WHERE id = ANY (accounts) FOR KEY SHARE) AS kept;
    IF found <> coalesce(cardinality(accounts), 0) THEN
        RAISE EXCEPTION 'an order of an account that is not there'
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'order_has_account';
    END IF;
    SELECT count(*) INTO found FROM
        (SELECT FROM marketdata_instrument WHERE id = ANY (instruments) FOR KEY SHARE) AS kept;
    IF found <> coalesce(cardinality(instruments), 0) THEN
        RAISE EXCEPTION 'an order for an instrument that is not there'
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'order_has_instrument';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER order_has_account_and_instrument AFTER INSERT ON orders_order
    REFERENCING NEW TABLE AS new_orders
    FOR EACH STATEMENT EXECUTE FUNCTION orders_check_keys();

CREATE FUNCTION orders_refuse_other_keys() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'order % keeps its account and its instrument', OLD.id
        USING ERRCODE = 'check_violation', CONSTRAINT = 'order_keeps_its_keys';
END $$;

CREATE TRIGGER order_keeps_its_keys AFTER UPDATE OF account_id, instrument_id ON orders_order
    FOR EACH ROW EXECUTE FUNCTION orders_refuse_other_keys();

CREATE FUNCTION orders_keep_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM orders_order WHERE account_id = OLD.id) THEN
        RAISE EXCEPTION 'trading account % has orders', OLD.id
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'order_has_account';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER order_has_account AFTER DELETE OR UPDATE OF id ON brokers_tradingaccount
    FOR EACH ROW EXECUTE FUNCTION orders_keep_account();

CREATE FUNCTION orders_keep_instrument() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM orders_order WHERE instrument_id = OLD.id) THEN
        RAISE EXCEPTION 'instrument % has orders', OLD.id
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'order_has_instrument';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER order_has_instrument AFTER DELETE OR UPDATE OF id ON marketdata_instrument
    FOR EACH ROW EXECUTE FUNCTION orders_keep_instrument();
