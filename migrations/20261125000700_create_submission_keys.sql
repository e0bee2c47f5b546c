-- A submission that is sent again with the same key is one submission: the answer is given once more.

CREATE TABLE submission_keys (
    caller       text NOT NULL,
    key          text NOT NULL,
    body_digest  bytea NOT NULL,
    receipt_id   uuid NOT NULL,
    -- What was answered the first time.
    answer       jsonb NOT NULL,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (caller, key)
);
CREATE INDEX submission_keys_age ON submission_keys (created_at);
