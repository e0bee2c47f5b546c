-- The ledger: the truth about work. A row is a job that is still to be done; done means gone.
-- Redis only hands the rows out and may be erased at any moment.

CREATE TABLE jobs (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue       text NOT NULL,
    kind        text NOT NULL,
    args        jsonb NOT NULL,
    -- When the row may next be handed out: its schedule, its retry delay and its lease at once.
    due_at      timestamptz NOT NULL DEFAULT now(),
    -- Which of the three `due_at` is right now. A claim takes a dispatched job only, so that a stale entry in
    -- Redis can't start a second time what runs already.
    phase       text NOT NULL DEFAULT 'waiting' CONSTRAINT jobs_phase CHECK (phase IN ('waiting', 'dispatched', 'running')),
    generation  integer NOT NULL DEFAULT 0,
    deliveries  integer NOT NULL DEFAULT 0,
    failures    integer NOT NULL DEFAULT 0,
    last_error  text,
    error_class text,
    trace       text,
    subject     uuid,
    created_at  timestamptz NOT NULL DEFAULT now(),
    dead_at     timestamptz
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX jobs_due ON jobs (queue, due_at) WHERE dead_at IS NULL;
CREATE INDEX jobs_dead ON jobs (queue, dead_at, id) WHERE dead_at IS NOT NULL;
CREATE INDEX jobs_subject ON jobs (subject) WHERE subject IS NOT NULL;

-- Brakes that every relay honours: a queue held back hands out nothing.
CREATE TABLE queue_controls (
    queue      text PRIMARY KEY,
    held_until timestamptz,
    reason     text NOT NULL DEFAULT '',
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- One row a recurring task: the tick that was taken last, so that of many workers one runs it.
CREATE TABLE schedule_ticks (
    task    text PRIMARY KEY,
    tick_at timestamptz NOT NULL
);
