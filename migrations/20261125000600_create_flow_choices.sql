-- What a learner chose on the way to a verified certificate: the amount, and whether it is an upgrade.

CREATE TABLE flow_choices (
    user_id      bigint NOT NULL REFERENCES users,
    course_key   text NOT NULL REFERENCES courses,
    -- As the learner typed it; checked when an order is made.
    contribution text,
    is_upgrade   boolean NOT NULL DEFAULT false,
    updated_at   timestamptz NOT NULL,
    PRIMARY KEY (user_id, course_key)
);
