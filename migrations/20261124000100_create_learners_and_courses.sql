-- Copies of what the learning platform knows and Vouch needs: it pushes them, Vouch never asks.

CREATE TABLE users (
    user_id    bigint PRIMARY KEY,
    username   text NOT NULL,
    email      text NOT NULL,
    full_name  text NOT NULL,
    is_active  boolean NOT NULL,
    country    text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

-- A learner may give the name on the ID with the photos; the former one is kept.
CREATE TABLE user_name_changes (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id    bigint NOT NULL REFERENCES users,
    old_name   text NOT NULL,
    new_name   text NOT NULL,
    changed_at timestamptz NOT NULL
);
CREATE INDEX user_name_changes_user ON user_name_changes (user_id, id);

CREATE TABLE courses (
    course_key   text PRIMARY KEY,
    display_name text NOT NULL,
    starts_at    timestamptz,
    ends_at      timestamptz,
    updated_at   timestamptz NOT NULL
);

CREATE TABLE verification_deadlines (
    course_key  text PRIMARY KEY REFERENCES courses,
    deadline    timestamptz NOT NULL,
    is_explicit boolean NOT NULL,
    updated_at  timestamptz NOT NULL
);

CREATE TABLE course_modes (
    course_key   text NOT NULL REFERENCES courses,
    slug         text NOT NULL,
    display_name text NOT NULL,
    min_price    bigint NOT NULL CONSTRAINT course_modes_price_not_negative CHECK (min_price >= 0),
    currency     text NOT NULL,
    sku          text,
    expires_at   timestamptz,
    position     integer NOT NULL,
    PRIMARY KEY (course_key, slug)
);

CREATE TABLE reverification_blocks (
    course_key         text NOT NULL REFERENCES courses,
    usage              text NOT NULL,
    related_assessment text NOT NULL,
    attempts           integer NOT NULL CONSTRAINT reverification_blocks_attempts_not_negative CHECK (attempts >= 0),
    due                timestamptz,
    chapter            text,
    section            text,
    position           text,
    PRIMARY KEY (course_key, usage)
);

CREATE TABLE restricted_courses (
    course_key  text PRIMARY KEY REFERENCES courses,
    message_key text NOT NULL
);

CREATE TABLE country_access_rules (
    course_key text NOT NULL REFERENCES restricted_courses ON DELETE CASCADE,
    country    text NOT NULL,
    rule       text NOT NULL CONSTRAINT country_access_rules_rule CHECK (rule IN ('whitelist', 'blacklist')),
    PRIMARY KEY (course_key, country)
);

CREATE TABLE enrollments (
    user_id    bigint NOT NULL REFERENCES users,
    course_key text NOT NULL REFERENCES courses,
    mode       text NOT NULL,
    is_active  boolean NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, course_key)
);
