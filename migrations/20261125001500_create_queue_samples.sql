-- How each queue stood over the last hours, so that an operator sees a picture and not a moment.

CREATE TABLE queue_samples (
    at                 timestamptz NOT NULL,
    queue              text NOT NULL,
    -- Jobs that ended in the time before `at`, by outcome, over all processes.
    done               bigint NOT NULL,
    failed             bigint NOT NULL,
    waiting            bigint NOT NULL,
    dead               bigint NOT NULL,
    oldest_due_seconds double precision NOT NULL,
    -- Mean time from due to claimed, and from claimed to ended, of the jobs that ended; null: none did.
    wait_seconds       double precision,
    run_seconds        double precision,
    PRIMARY KEY (queue, at)
);
CREATE INDEX queue_samples_age ON queue_samples (at);
