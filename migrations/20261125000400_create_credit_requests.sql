-- A learner has asked a provider for credit: from then on no requirement of that course changes any more.

CREATE TABLE credit_requests (
    uuid        uuid PRIMARY KEY,
    user_id     bigint NOT NULL REFERENCES users,
    course_key  text NOT NULL REFERENCES credit_courses,
    provider_id text NOT NULL,
    parameters  jsonb NOT NULL DEFAULT '{}',
    status      text NOT NULL CONSTRAINT credit_requests_status CHECK (status IN ('pending', 'approved', 'rejected')),
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    CONSTRAINT credit_requests_once UNIQUE (user_id, course_key, provider_id)
);
