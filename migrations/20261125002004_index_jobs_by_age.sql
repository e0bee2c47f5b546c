-- no-transaction
-- Operators look for the jobs of a queue, newest first, or older than so much.
CREATE INDEX CONCURRENTLY jobs_newest ON jobs (queue, created_at DESC, id DESC);
