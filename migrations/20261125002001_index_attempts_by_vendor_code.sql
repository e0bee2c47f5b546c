-- no-transaction
-- Operators look for attempts of which the vendor said the same.
CREATE INDEX CONCURRENTLY attempts_vendor_code ON attempts (error_code, status, created_at DESC, id DESC) WHERE error_code <> '';
