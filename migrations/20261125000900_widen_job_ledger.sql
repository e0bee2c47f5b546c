-- What an operator asks of a failed job: since when, which answer it got, and which others failed the same way.

ALTER TABLE jobs
    -- When it became due for the last handing-out, and when the last try was claimed: the time between is its wait.
    ADD COLUMN ready_at    timestamptz,
    ADD COLUMN claimed_at  timestamptz,
    -- When the last try failed.
    ADD COLUMN failed_at   timestamptz,
    -- The far side's code of the last failure: an HTTP status, an SMTP code; empty when there is none.
    ADD COLUMN error_code  text NOT NULL DEFAULT '',
    -- Names the group of failures that are alike; null before the first failure.
    ADD COLUMN fingerprint text;
CREATE INDEX jobs_dead_group ON jobs (fingerprint, dead_at DESC, id DESC) WHERE dead_at IS NOT NULL;
