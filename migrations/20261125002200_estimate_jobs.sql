-- How many jobs of a queue are not dead, as the planner estimates it: an operator who looks at a million rows
-- must not pay for counting them. Up to 10,000 they are counted; beyond, this answers.

CREATE FUNCTION estimate_jobs(wanted text, is_due_only boolean) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE format('EXPLAIN (FORMAT JSON) SELECT FROM jobs WHERE queue = %L AND dead_at IS NULL', wanted)
        || CASE WHEN is_due_only THEN ' AND due_at <= now()' ELSE '' END INTO plan;
    RETURN (plan -> 0 -> 'Plan' ->> 'Plan Rows')::float8::bigint;
END $$;
