-- When a learner was erased: from then on nothing about them is written any more, whoever tries and however late.

ALTER TABLE users ADD COLUMN erased_at timestamptz;
