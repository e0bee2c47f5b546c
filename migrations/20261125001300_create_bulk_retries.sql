-- Bulk retries: the set is frozen when it starts, and each item is retried once whatever happens meanwhile.

CREATE TABLE retries (
    id          uuid PRIMARY KEY,
    status      text NOT NULL CONSTRAINT retries_status CHECK (status IN ('running', 'done', 'cancelled')),
    filter      jsonb NOT NULL,
    -- Items a second.
    rate        integer NOT NULL CONSTRAINT retries_rate_positive CHECK (rate > 0),
    reason      text NOT NULL,
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL,
    finished_at timestamptz,
    total       bigint NOT NULL,
    -- Items that were set going again, and items that needed it no more when their turn came.
    retried     bigint NOT NULL DEFAULT 0,
    skipped     bigint NOT NULL DEFAULT 0
);
CREATE INDEX retries_newest ON retries (created_at DESC, id DESC);
-- Pressed twice, it runs once.
CREATE UNIQUE INDEX retries_one_of_a_filter ON retries (md5(filter::text)) WHERE status = 'running';

CREATE TABLE retry_items (
    retry_id uuid NOT NULL REFERENCES retries,
    position bigint NOT NULL,
    -- A dead job, with the failures it had when the set was frozen; or an attempt.
    job_id   bigint,
    receipt  uuid,
    outcome  text CONSTRAINT retry_items_outcome CHECK (outcome IN ('retried', 'skipped')),
    PRIMARY KEY (retry_id, position)
);
CREATE INDEX retry_items_open ON retry_items (retry_id, position) WHERE outcome IS NULL;
