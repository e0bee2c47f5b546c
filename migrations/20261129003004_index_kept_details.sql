-- no-transaction
-- Decided attempts that still tell who they were about, oldest decision first.
CREATE INDEX CONCURRENTLY attempts_kept_details ON attempts (updated_at, id) WHERE emptied_at IS NULL AND status IN ('approved', 'denied');
