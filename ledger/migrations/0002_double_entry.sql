-- What keeps the ledger double entry, whoever writes.

-- A posting points at an account AND its asset, so that a posting cannot count another asset than
-- its account does, and the sum per asset needs no join.
ALTER TABLE ledger_posting
    ADD CONSTRAINT posting_account_and_asset
    FOREIGN KEY (ledger_account_id, asset_id) REFERENCES ledger_ledgeraccount (id, asset_id);

-- The postings of an entry come in one statement and sum to zero for each asset. Checked once a
-- statement over its new rows: far cheaper than a deferred trigger for each row.
CREATE FUNCTION ledger_check_postings_sum_zero() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    broken record;
BEGIN
    SELECT entry_id, asset_id, sum(amount) AS total INTO broken
      FROM new_postings GROUP BY entry_id, asset_id HAVING sum(amount) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'entry % does not sum to zero in asset %: %',
            broken.entry_id, broken.asset_id, broken.total
            USING ERRCODE = 'check_violation', CONSTRAINT = 'posting_sum_zero';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER posting_sum_zero AFTER INSERT ON ledger_posting
    REFERENCING NEW TABLE AS new_postings
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_check_postings_sum_zero();

-- Nothing booked is edited or deleted. (TRUNCATE is left to the owner of the tables, for resets.)
CREATE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: book a reversal instead', TG_TABLE_NAME
        USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_append_only';
END $$;

CREATE TRIGGER journalentry_append_only BEFORE UPDATE OR DELETE ON ledger_journalentry
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER posting_append_only BEFORE UPDATE OR DELETE ON ledger_posting
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER entrysource_append_only BEFORE UPDATE OR DELETE ON ledger_entrysource
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse_change();

-- Balances change with every trade: room on the page keeps the updates off the indexes (HOT).
ALTER TABLE ledger_ledgeraccount SET (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05);
