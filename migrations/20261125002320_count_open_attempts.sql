-- How many attempts of each open state there are, without a long count: few are counted, many are estimated.

CREATE INDEX attempts_open_status ON attempts (status) WHERE status IN ('created', 'ready', 'submitted', 'must_retry');

CREATE FUNCTION estimate_attempts(wanted text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE format('EXPLAIN (FORMAT JSON) SELECT FROM attempts WHERE status = %L', wanted) INTO plan;
    RETURN (plan -> 0 -> 'Plan' ->> 'Plan Rows')::float8::bigint;
END $$;
