-- no-transaction
-- Operators page through what is due; many jobs may be due at one moment, so their numbers are needed too.
CREATE INDEX CONCURRENTLY jobs_next ON jobs (queue, due_at, id) WHERE dead_at IS NULL;
