-- The attempt (one submission of photos), its history, and the checkpoints that wait for its verdict.

CREATE TABLE attempts (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    receipt_id         uuid NOT NULL CONSTRAINT attempts_receipt_id_unique UNIQUE,
    user_id            bigint NOT NULL REFERENCES users,
    status             text NOT NULL CONSTRAINT attempts_status
                       CHECK (status IN ('created', 'ready', 'submitted', 'must_retry', 'approved', 'denied')),
    name               text NOT NULL,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    submitted_at       timestamptz,
    -- When the vendor signed the last verdict that was applied; an older one changes nothing.
    vendor_decided_at  timestamptz,
    reviewing_service  text NOT NULL DEFAULT '',
    reviewing_user     text NOT NULL DEFAULT '',
    error_msg          text NOT NULL DEFAULT '',
    error_code         text NOT NULL DEFAULT '' CONSTRAINT attempts_error_code_length CHECK (length(error_code) <= 50),
    -- The attempt whose ID photo goes to the vendor with this face; null: it has an ID photo of its own.
    copy_id_photo_from bigint REFERENCES attempts,
    -- Sealed uploads, until they are prepared; then what the vendor downloads.
    face_upload        text,
    photo_id_upload    text,
    face_object        text,
    photo_id_object    text,
    photo_id_key       text NOT NULL DEFAULT ''
);
CREATE INDEX attempts_user ON attempts (user_id, created_at DESC, id DESC);
-- What the sweep looks at: attempts that are not finished.
CREATE INDEX attempts_open ON attempts (updated_at) WHERE status IN ('created', 'ready', 'must_retry');
-- Who has waited longest for the vendor's verdict.
CREATE INDEX attempts_submitted ON attempts (submitted_at) WHERE status = 'submitted';

CREATE TABLE attempt_events (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    attempt_id  bigint NOT NULL REFERENCES attempts,
    at          timestamptz NOT NULL,
    actor       text NOT NULL,
    kind        text NOT NULL,
    from_status text,
    to_status   text,
    detail      text NOT NULL DEFAULT ''
);
CREATE INDEX attempt_events_attempt ON attempt_events (attempt_id, id);

CREATE TABLE checkpoints (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    course_key text NOT NULL,
    usage      text NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT checkpoints_course_usage_unique UNIQUE (course_key, usage)
);

CREATE TABLE checkpoint_attempts (
    checkpoint_id bigint NOT NULL REFERENCES checkpoints,
    attempt_id    bigint NOT NULL REFERENCES attempts,
    PRIMARY KEY (checkpoint_id, attempt_id)
);
CREATE INDEX checkpoint_attempts_attempt ON checkpoint_attempts (attempt_id);

-- Appended to, never changed: the row with the greatest id is a learner's status at a checkpoint.
CREATE TABLE checkpoint_statuses (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    checkpoint_id bigint NOT NULL REFERENCES checkpoints,
    user_id       bigint NOT NULL REFERENCES users,
    attempt_id    bigint NOT NULL REFERENCES attempts,
    status        text NOT NULL CONSTRAINT checkpoint_statuses_status
                  CHECK (status IN ('submitted', 'approved', 'denied', 'error')),
    at            timestamptz NOT NULL
);
CREATE INDEX checkpoint_statuses_latest ON checkpoint_statuses (user_id, checkpoint_id, id DESC);
