-- As posting_sum_zero does with entries: that every posting names an account AND its asset is looked
-- up once a statement. Accounts stay, so this is as good as the foreign key that it replaces, which
-- looks once a row.
ALTER TABLE ledger_posting DROP CONSTRAINT posting_account_and_asset;

-- Through the index, whatever the number of accounts was when the plan was made.
CREATE FUNCTION ledger_check_posting_accounts() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    broken record;
BEGIN
    SELECT n.ledger_account_id, n.asset_id INTO broken FROM new_postings n
     WHERE NOT EXISTS (SELECT FROM ledger_ledgeraccount a
                        WHERE a.id = n.ledger_account_id AND a.asset_id = n.asset_id) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'there is no account % in asset %',
            broken.ledger_account_id, broken.asset_id
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'posting_account_and_asset';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER posting_account_and_asset AFTER INSERT ON ledger_posting
    REFERENCING NEW TABLE AS new_postings
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_check_posting_accounts();

-- (TRUNCATE is left to the owner of the tables, as for entries and postings.)
CREATE FUNCTION ledger_refuse_account_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'ledger account % stays, and stays in its asset', OLD.id
        USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_account_stays';
END $$;

CREATE TRIGGER ledger_account_stays AFTER DELETE OR UPDATE OF id, asset_id ON ledger_ledgeraccount
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse_account_change();
