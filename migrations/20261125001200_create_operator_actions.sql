-- Who did what, when and why: one row an action, written in the transaction of the action.

CREATE TABLE operator_actions (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL,
    -- The name of the key that was used.
    actor   text NOT NULL,
    action  text NOT NULL,
    -- What it was done to: a receipt, a job's number, a queue, a bulk retry.
    target  text NOT NULL,
    reason  text NOT NULL CONSTRAINT operator_actions_reason_given CHECK (btrim(reason) <> ''),
    -- More, nothing personal: the filter, the limit, how many.
    detail  jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX operator_actions_target ON operator_actions (target, id DESC);
CREATE INDEX operator_actions_actor ON operator_actions (actor, id DESC);
