-- Credit: what a course demands, how far each learner is, and who has become eligible.

CREATE TABLE credit_courses (
    course_key text PRIMARY KEY REFERENCES courses,
    is_enabled boolean NOT NULL
);

CREATE TABLE credit_providers (
    course_key   text NOT NULL REFERENCES credit_courses ON DELETE CASCADE,
    provider_id  text NOT NULL,
    display_name text NOT NULL,
    position     integer NOT NULL,
    PRIMARY KEY (course_key, provider_id)
);

CREATE TABLE credit_requirements (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    course_key   text NOT NULL REFERENCES credit_courses,
    namespace    text NOT NULL,
    name         text NOT NULL,
    display_name text NOT NULL,
    criteria     jsonb NOT NULL,
    position     integer NOT NULL,
    is_active    boolean NOT NULL,
    CONSTRAINT credit_requirements_unique UNIQUE (course_key, namespace, name)
);

-- No row is the fourth status: neither satisfied nor failed nor declined.
CREATE TABLE credit_requirement_statuses (
    user_id        bigint NOT NULL REFERENCES users,
    requirement_id bigint NOT NULL REFERENCES credit_requirements,
    status         text NOT NULL CONSTRAINT credit_requirement_statuses_status
                   CHECK (status IN ('satisfied', 'failed', 'declined')),
    reason         jsonb NOT NULL,
    status_date    timestamptz NOT NULL,
    PRIMARY KEY (user_id, requirement_id)
);

CREATE TABLE credit_eligibilities (
    user_id    bigint NOT NULL REFERENCES users,
    course_key text NOT NULL REFERENCES credit_courses,
    deadline   timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, course_key)
);
