-- no-transaction
-- Events that nobody could deliver, oldest first.
CREATE INDEX CONCURRENTLY analytics_events_age ON analytics_events (at, id);
