-- no-transaction
-- As `jobs_group_newest`, of what will be tried again.
CREATE INDEX CONCURRENTLY jobs_group_next ON jobs (fingerprint, due_at, id) WHERE fingerprint IS NOT NULL AND dead_at IS NULL;
