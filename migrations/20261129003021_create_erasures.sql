-- A learner is erased once and for good: when it was asked for, what went, and the signed receipt; and how tables refuse
-- what is written about them later.

CREATE TABLE erasures (
    id           uuid PRIMARY KEY,
    user_id      bigint NOT NULL REFERENCES users CONSTRAINT erasures_once UNIQUE,
    status       text NOT NULL CONSTRAINT erasures_status CHECK (status IN ('running', 'done')),
    -- The name of the key that was used.
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL,
    finished_at  timestamptz,
    -- Until then a worker may still store what it had in its hands: what is there is looked for again.
    quiet_at     timestamptz NOT NULL DEFAULT now(),
    -- How much of each kind went.
    counts       jsonb NOT NULL DEFAULT '{}',
    -- Done: what is told of it, with nothing personal, its signature and the key that proves it.
    receipt      text,
    signature    text,
    public_key   text
);

-- The lock makes this and an erasure take turns: whoever comes second sees what the first did.
CREATE FUNCTION refuse_erased() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    since timestamptz;
BEGIN
    SELECT erased_at INTO since FROM users WHERE user_id = NEW.user_id FOR KEY SHARE;
    IF since IS NOT NULL THEN
        RAISE EXCEPTION 'the learner was erased' USING ERRCODE = 'VE001';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION refuse_return() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the learner was erased' USING ERRCODE = 'VE001';
END $$;

-- A payment that comes in late counts; who paid is not kept.
CREATE FUNCTION forget_payer() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    since timestamptz;
BEGIN
    SELECT erased_at INTO since FROM users WHERE user_id = NEW.user_id FOR KEY SHARE;
    IF since IS NOT NULL THEN
        NEW.billed_to := '{}';
    END IF;
    RETURN NEW;
END $$;
