-- SHA-256 of a callback's body, where the vendor names its calls: the same name with another body is noticed.
-- Null where the event's key covers the body (`software-secure`).

ALTER TABLE vendor_callbacks ADD COLUMN body_digest bytea;
