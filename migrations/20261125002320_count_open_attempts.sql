-- How many attempts of a state there are, without a long count: few are counted by their index, many are estimated.

CREATE FUNCTION estimate_attempts(wanted text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE format('EXPLAIN (FORMAT JSON) SELECT FROM attempts WHERE status = %L', wanted) INTO plan;
    RETURN (plan -> 0 -> 'Plan' ->> 'Plan Rows')::float8::bigint;
END $$;
