-- A bulk retry leaves out what another one has, knows a request that is sent again, and can be outlived by a dropped callback.

-- Items are gone through in order, so the counters say which is next: no index changes when one is dealt with.
DROP INDEX retry_items_open;
-- Items are written with their bulk retry and never without; looking it up for each of 200,000 takes seconds.
ALTER TABLE retry_items DROP CONSTRAINT retry_items_retry_id_fkey;
CREATE INDEX retry_items_job ON retry_items (job_id) WHERE job_id IS NOT NULL;
CREATE INDEX retry_items_receipt ON retry_items (receipt) WHERE receipt IS NOT NULL;
-- Whose items may be forgotten.
CREATE INDEX retries_finished ON retries (finished_at) WHERE finished_at IS NOT NULL;

-- A bulk retry that is asked for again with the same key is one bulk retry.
CREATE TABLE retry_keys (
    caller      text NOT NULL,
    key         text NOT NULL,
    body_digest bytea NOT NULL,
    retry_id    uuid NOT NULL REFERENCES retries,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (caller, key)
);
CREATE INDEX retry_keys_age ON retry_keys (created_at);

-- A callback whose job an operator dropped: nobody applies it, and the sweep does not bring it back.
ALTER TABLE vendor_callbacks DROP CONSTRAINT vendor_callbacks_outcome;
ALTER TABLE vendor_callbacks ADD CONSTRAINT vendor_callbacks_outcome CHECK
    (outcome IN ('received', 'applied', 'duplicate', 'late', 'contradiction', 'orphan', 'unknown_result', 'dropped'));
