-- no-transaction
-- Former names, oldest first.
CREATE INDEX CONCURRENTLY user_name_changes_age ON user_name_changes (changed_at, id);
