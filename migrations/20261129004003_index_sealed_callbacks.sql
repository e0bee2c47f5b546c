-- no-transaction
-- Kept callbacks by the master key under which they are sealed.
CREATE INDEX CONCURRENTLY vendor_callbacks_sealed ON vendor_callbacks (sealed_under(body_sealed), id);
