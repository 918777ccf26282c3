-- That every posting names an account AND its asset is looked up once a statement, as the foreign key
-- that this replaces did it for each row: with a lock that keeps the account, and a look back when
-- one is deleted.
ALTER TABLE ledger_posting DROP CONSTRAINT posting_account_and_asset;

-- By an array, so that the plan goes through the primary key.
CREATE FUNCTION ledger_check_posting_accounts() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off AS $$
DECLARE
    account_ids bigint[];
    broken record;
BEGIN
    SELECT array_agg(DISTINCT ledger_account_id) INTO account_ids FROM new_postings;
    WITH kept AS MATERIALIZED (
        SELECT id, asset_id FROM ledger_ledgeraccount WHERE id = ANY (account_ids) FOR KEY SHARE
    )
    SELECT n.ledger_account_id, n.asset_id INTO broken FROM new_postings n
     WHERE (n.ledger_account_id, n.asset_id) NOT IN (SELECT id, asset_id FROM kept) LIMIT 1;
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
CREATE FUNCTION ledger_keep_posted_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM ledger_posting WHERE ledger_account_id = OLD.id) THEN
        RAISE EXCEPTION 'ledger account % has postings: it stays, and in its asset', OLD.id
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'posting_account_and_asset';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER posting_account_and_asset
    AFTER DELETE OR UPDATE OF id, asset_id ON ledger_ledgeraccount
    FOR EACH ROW EXECUTE FUNCTION ledger_keep_posted_account();
