-- What became of each try of a job that serves an attempt: the row of a job that is done is gone, its story stays.

CREATE TABLE job_runs (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject     uuid NOT NULL,
    job_id      bigint NOT NULL,
    queue       text NOT NULL,
    kind        text NOT NULL,
    -- When the job was born; when this try became due, was claimed, and ended.
    queued_at   timestamptz NOT NULL,
    ready_at    timestamptz,
    claimed_at  timestamptz,
    ended_at    timestamptz NOT NULL,
    outcome     text NOT NULL CONSTRAINT job_runs_outcome CHECK (outcome IN ('done', 'retried', 'dead')),
    error_class text,
    error_code  text NOT NULL DEFAULT '',
    error       text,
    trace       text
);
CREATE INDEX job_runs_subject ON job_runs (subject, id);
