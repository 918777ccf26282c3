-- What keeps transfers, seals and entries as they are, whoever writes.

-- As in 0002, and in the same pass: every posting has its entry. Entries are never deleted, so a
-- look once a statement is as good as a foreign key, which looks once a row.
CREATE OR REPLACE FUNCTION ledger_check_postings_sum_zero() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
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
    SELECT n.entry_id INTO broken FROM (SELECT DISTINCT entry_id FROM new_postings) AS n
     WHERE NOT EXISTS (SELECT FROM ledger_journalentry e WHERE e.id = n.entry_id) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'entry % is not in the journal', broken.entry_id
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'posting_has_entry';
    END IF;
    RETURN NULL;
END $$;

-- A transfer that is over stays as it is; one that is not may only come to its end.
CREATE FUNCTION ledger_refuse_transfer_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.status <> 'PENDING'
       OR (NEW.id, NEW.source_id, NEW.destination_id, NEW.asset_id, NEW.amount, NEW.is_two_step,
           NEW.expires_at, NEW.linked_id, NEW.memo, NEW.actor, NEW.created_at)
          IS DISTINCT FROM
          (OLD.id, OLD.source_id, OLD.destination_id, OLD.asset_id, OLD.amount, OLD.is_two_step,
           OLD.expires_at, OLD.linked_id, OLD.memo, OLD.actor, OLD.created_at)
    THEN
        RAISE EXCEPTION 'transfer % is immutable', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_append_only';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER transfer_immutable BEFORE UPDATE OR DELETE ON ledger_transfer
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse_transfer_change();
CREATE TRIGGER seal_append_only BEFORE UPDATE OR DELETE ON ledger_seal
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER approval_append_only BEFORE UPDATE OR DELETE ON ledger_approval
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse_change();
