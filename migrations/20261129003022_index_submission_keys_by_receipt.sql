-- no-transaction
-- An erasure looks for the answers that name a learner's attempts.
CREATE INDEX CONCURRENTLY submission_keys_receipt ON submission_keys (receipt_id);
