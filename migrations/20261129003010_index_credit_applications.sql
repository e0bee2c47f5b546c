-- no-transaction
-- What a provider of credit was told of a learner, oldest answer first.
CREATE INDEX CONCURRENTLY credit_requests_kept ON credit_requests (updated_at) WHERE parameters <> '{}' AND status <> 'pending';
