-- What the brakes remember besides: why an operator paused or limited a queue, who is the probe of an open
-- breaker, which jobs lost a try to the outage that is building up, and the bucket of a recovery.

-- A queue held by the far side keeps its own reason.
ALTER TABLE queue_controls
    ADD COLUMN paused_reason text NOT NULL DEFAULT '',
    ADD COLUMN limit_reason  text NOT NULL DEFAULT '';

ALTER TABLE breakers
    DROP COLUMN row_since,
    -- The one job that may go while it is open.
    ADD COLUMN probe     bigint,
    -- Jobs that lost a try to the outages counted here, newest last, once for each; they get it back when it opens.
    ADD COLUMN suspects  bigint[] NOT NULL DEFAULT '{}',
    -- Recovering: what is left of the rate.
    ADD COLUMN tokens    double precision NOT NULL DEFAULT 0,
    ADD COLUMN filled_at timestamptz NOT NULL DEFAULT now();

-- There is a row for each far side that has a breaker, so that nobody has to make it.
INSERT INTO breakers (vendor, queue) VALUES ('software-secure', 'vendor');
