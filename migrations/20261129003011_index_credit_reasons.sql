-- no-transaction
-- Why a requirement is met or not, oldest first.
CREATE INDEX CONCURRENTLY credit_requirement_statuses_kept ON credit_requirement_statuses (status_date) WHERE reason <> '{}';
