-- Events for analytics, in the order in which they happened; gone once they are delivered.

CREATE TABLE analytics_events (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id    bigint NOT NULL REFERENCES users,
    name       text NOT NULL,
    properties jsonb NOT NULL,
    attempt_id bigint REFERENCES attempts,
    message_id uuid NOT NULL CONSTRAINT analytics_events_message_unique UNIQUE,
    at         timestamptz NOT NULL
);
CREATE INDEX analytics_events_user ON analytics_events (user_id, id);

-- Of one learner's jobs one sends: whoever sends asks whether there is another.
CREATE INDEX jobs_events_user ON jobs ((args ->> 'user')) WHERE kind = 'track_event' AND dead_at IS NULL;
