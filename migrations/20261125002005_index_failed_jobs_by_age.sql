-- no-transaction
-- A failure's class, code and kind are its group's, so what failed is found by its group, whatever is asked for.
CREATE INDEX CONCURRENTLY jobs_group_newest ON jobs (fingerprint, created_at DESC, id DESC) WHERE fingerprint IS NOT NULL;
