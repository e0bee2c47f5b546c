-- A learner opts out of re-verification: one row a course, whichever checkpoint it was said at.

CREATE TABLE skipped_reverifications (
    user_id       bigint NOT NULL REFERENCES users,
    course_key    text NOT NULL,
    checkpoint_id bigint NOT NULL REFERENCES checkpoints,
    created_at    timestamptz NOT NULL,
    PRIMARY KEY (user_id, course_key)
);
