-- no-transaction
-- Callbacks that were dealt with, oldest first.
CREATE INDEX CONCURRENTLY vendor_callbacks_settled ON vendor_callbacks (received_at, id) WHERE outcome <> 'received';
