-- no-transaction
-- `jobs_next` does its work.
DROP INDEX CONCURRENTLY jobs_due;
