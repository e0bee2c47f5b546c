-- no-transaction
-- The groups' indexes do its work.
DROP INDEX CONCURRENTLY jobs_failed_class;
