-- What the vendor called back with, once each: the unique key makes a repeated call a no-op.

CREATE TABLE vendor_callbacks (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    vendor      text NOT NULL,
    event_key   bytea NOT NULL,
    -- The receipt as the vendor wrote it; it may name an attempt that Vouch does not know.
    receipt     text NOT NULL,
    attempt_id  bigint REFERENCES attempts,
    verdict     text NOT NULL,
    -- When the vendor signed it; null when the signature is not enforced and no date came.
    signed_at   timestamptz,
    received_at timestamptz NOT NULL,
    signature_valid boolean NOT NULL,
    -- The body as it came, sealed with the master key: it may speak of a learner.
    body_sealed bytea NOT NULL,
    outcome     text NOT NULL CONSTRAINT vendor_callbacks_outcome
                CHECK (outcome IN ('received', 'applied', 'duplicate', 'late', 'contradiction', 'orphan', 'unknown_result')),
    applied_at  timestamptz,
    CONSTRAINT vendor_callbacks_event_unique UNIQUE (vendor, event_key)
);
CREATE INDEX vendor_callbacks_attempt ON vendor_callbacks (attempt_id) WHERE attempt_id IS NOT NULL;
-- What the sweep looks at: callbacks that nobody applied yet.
CREATE INDEX vendor_callbacks_open ON vendor_callbacks (received_at) WHERE outcome = 'received';
