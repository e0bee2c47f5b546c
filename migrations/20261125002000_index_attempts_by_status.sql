-- no-transaction
-- Operators look for attempts, newest first, of all states or of some.
CREATE INDEX CONCURRENTLY attempts_newest ON attempts (status, created_at DESC, id DESC);
