-- When the personal data of an attempt was emptied: who it was about is not told any more, the decision stays.

ALTER TABLE attempts ADD COLUMN emptied_at timestamptz;
