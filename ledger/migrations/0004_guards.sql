-- What keeps transfers, seals and entries as they are, whoever writes.

-- As in 0002, and in the same pass: every posting has its entry. Entries are never deleted, so a
-- look once a statement is as good as a foreign key, which looks once a row.
CREATE OR REPLACE FUNCTION ledger_check_postings_sum_zero() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off AS $$
DECLARE
    broken record;
    entry_ids uuid[];
BEGIN
    SELECT entry_id, asset_id, sum(amount) AS total INTO broken
      FROM new_postings GROUP BY entry_id, asset_id HAVING sum(amount) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'entry % does not sum to zero in asset %: %',
            broken.entry_id, broken.asset_id, broken.total
            USING ERRCODE = 'check_violation', CONSTRAINT = 'posting_sum_zero';
    END IF;
    -- By an array, so that the plan goes through the primary key whatever the size of the journal
    -- was when it was made.
    SELECT array_agg(DISTINCT entry_id) INTO entry_ids FROM new_postings;
    IF cardinality(entry_ids)
       <> (SELECT count(*) FROM ledger_journalentry WHERE id = ANY (entry_ids)) THEN
        SELECT n.id INTO broken FROM unnest(entry_ids) AS n (id)
         WHERE NOT EXISTS (SELECT FROM ledger_journalentry e WHERE e.id = n.id) LIMIT 1;
        RAISE EXCEPTION 'entry % is not in the journal', broken.id
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
