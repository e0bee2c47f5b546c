-- How many dead jobs there are of each kind of failure, without counting them: every death and every
-- resurrection leaves one small row, and the upkeep adds the rows up from time to time.

CREATE TABLE dead_tallies (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue       text NOT NULL,
    fingerprint text NOT NULL,
    jobs        bigint NOT NULL,
    first_at    timestamptz,
    last_at     timestamptz
);

-- What a group of failures is; written with the first failure of its kind.
CREATE TABLE error_groups (
    fingerprint text PRIMARY KEY,
    queue       text NOT NULL,
    kind        text NOT NULL,
    error_class text NOT NULL,
    error_code  text NOT NULL,
    -- The message with its numbers and names of things replaced.
    message     text NOT NULL,
    first_seen  timestamptz NOT NULL DEFAULT now()
);

CREATE FUNCTION tally_dead_job() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.dead_at IS NOT NULL THEN
        INSERT INTO dead_tallies (queue, fingerprint, jobs) VALUES (OLD.queue, coalesce(OLD.fingerprint, ''), -1);
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.dead_at IS NOT NULL THEN
        INSERT INTO dead_tallies (queue, fingerprint, jobs, first_at, last_at)
        VALUES (NEW.queue, coalesce(NEW.fingerprint, ''), 1, NEW.dead_at, NEW.dead_at);
    END IF;
    RETURN NULL;
END $$;

-- Jobs that live and die well never meet the function: the conditions are looked at first.
CREATE TRIGGER jobs_tally_born AFTER INSERT ON jobs
    FOR EACH ROW WHEN (NEW.dead_at IS NOT NULL) EXECUTE FUNCTION tally_dead_job();
CREATE TRIGGER jobs_tally_changed AFTER UPDATE ON jobs
    FOR EACH ROW WHEN (OLD.dead_at IS DISTINCT FROM NEW.dead_at OR (NEW.dead_at IS NOT NULL AND OLD.fingerprint IS DISTINCT FROM NEW.fingerprint))
    EXECUTE FUNCTION tally_dead_job();
CREATE TRIGGER jobs_tally_gone AFTER DELETE ON jobs
    FOR EACH ROW WHEN (OLD.dead_at IS NOT NULL) EXECUTE FUNCTION tally_dead_job();

INSERT INTO dead_tallies (queue, fingerprint, jobs, first_at, last_at)
SELECT queue, coalesce(fingerprint, ''), count(*), min(dead_at), max(dead_at) FROM jobs WHERE dead_at IS NOT NULL GROUP BY 1, 2;
