-- No row is locked for the look-up: whoever deletes an account first waits until nobody inserts.
CREATE OR REPLACE FUNCTION ledger_check_posting_accounts() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off AS $$
DECLARE
    account_ids bigint[];
    broken record;
BEGIN
    SELECT array_agg(DISTINCT ledger_account_id) INTO account_ids FROM new_postings;
    SELECT n.ledger_account_id, n.asset_id INTO broken FROM new_postings n
     WHERE (n.ledger_account_id, n.asset_id) NOT IN
           (SELECT id, asset_id FROM ledger_ledgeraccount WHERE id = ANY (account_ids))
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'there is no account % in asset %',
            broken.ledger_account_id, broken.asset_id
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'posting_account_and_asset';
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION ledger_keep_posted_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    LOCK TABLE ledger_posting IN SHARE MODE;
    IF EXISTS (SELECT FROM ledger_posting WHERE ledger_account_id = OLD.id) THEN
        RAISE EXCEPTION 'ledger account % has postings: it stays, and in its asset', OLD.id
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'posting_account_and_asset';
    END IF;
    RETURN NULL;
END $$;
