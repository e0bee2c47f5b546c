-- no-transaction
-- Choices on the way to a certificate, oldest first.
CREATE INDEX CONCURRENTLY flow_choices_age ON flow_choices (updated_at);
