-- no-transaction
-- What is matched again for a quarter of an hour: callbacks whose receipt nobody knew when they came.
CREATE INDEX CONCURRENTLY vendor_callbacks_orphans ON vendor_callbacks (received_at) WHERE outcome = 'orphan';
