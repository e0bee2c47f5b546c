-- A learner whose verification has expired is told, and told again a few times as long as it matters.

ALTER TABLE attempts
    -- How often this approval's end was told.
    ADD COLUMN expiry_mails    smallint NOT NULL DEFAULT 0,
    -- When it is told again; null: not at all.
    ADD COLUMN expiry_mail_due timestamptz;
CREATE INDEX attempts_untold_approvals ON attempts (created_at) WHERE status = 'approved' AND expiry_mails = 0;
CREATE INDEX attempts_expiry_mail_due ON attempts (expiry_mail_due) WHERE expiry_mail_due IS NOT NULL;
