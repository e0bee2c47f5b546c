-- Who set a course's verification deadline, to what and when: a learner who missed it asks.

CREATE TABLE verification_deadline_changes (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    course_key  text NOT NULL REFERENCES courses,
    change      text NOT NULL CONSTRAINT verification_deadline_changes_change CHECK (change IN ('created', 'changed', 'deleted')),
    -- The deadline after the change; of a deletion, the one that was deleted.
    deadline    timestamptz NOT NULL,
    is_explicit boolean NOT NULL,
    actor       text NOT NULL,
    at          timestamptz NOT NULL
);
CREATE INDEX verification_deadline_changes_course ON verification_deadline_changes (course_key, id DESC);

-- The platform removed the deadline on purpose: the end of the course does not bring one back.
CREATE TABLE verification_deadline_removals (
    course_key text PRIMARY KEY REFERENCES courses,
    removed_at timestamptz NOT NULL
);
