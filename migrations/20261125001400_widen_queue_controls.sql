-- Brakes that an operator works: a pause and a limit of a queue, and the breaker of a vendor.

ALTER TABLE queue_controls
    ADD COLUMN paused_at  timestamptz,
    ADD COLUMN paused_by  text,
    -- Jobs a second over all processes; null: no limit.
    ADD COLUMN rate_limit double precision CONSTRAINT queue_controls_rate_limit_positive CHECK (rate_limit > 0),
    -- The limit's bucket: what is left, and when it was last filled.
    ADD COLUMN tokens     double precision NOT NULL DEFAULT 0,
    ADD COLUMN filled_at  timestamptz NOT NULL DEFAULT now();

CREATE TABLE breakers (
    vendor       text PRIMARY KEY,
    -- The queue that it stops.
    queue        text NOT NULL CONSTRAINT breakers_queue_unique UNIQUE,
    state        text NOT NULL DEFAULT 'closed' CONSTRAINT breakers_state CHECK (state IN ('closed', 'open', 'recovering')),
    -- An operator's word, which stands above what was measured.
    forced       text CONSTRAINT breakers_forced CHECK (forced IN ('open', 'closed')),
    reason       text NOT NULL DEFAULT '',
    -- Since when the state holds.
    since        timestamptz NOT NULL DEFAULT now(),
    -- Open: when one probe may go. Recovering: when it is closed if nothing fails.
    until        timestamptz,
    -- How often in a row it opened without healing; sets how long it stays open.
    openings     integer NOT NULL DEFAULT 0,
    -- Outages in a row, since when, and the window in which a rate of them is measured.
    failures_in_row integer NOT NULL DEFAULT 0,
    row_since    timestamptz,
    window_from  timestamptz NOT NULL DEFAULT now(),
    window_calls integer NOT NULL DEFAULT 0,
    window_failures integer NOT NULL DEFAULT 0,
    updated_at   timestamptz NOT NULL DEFAULT now()
);
