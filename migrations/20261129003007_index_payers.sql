-- no-transaction
-- Who paid, oldest first.
CREATE INDEX CONCURRENTLY orders_kept_payers ON orders (updated_at, id) WHERE billed_to <> '{}';
