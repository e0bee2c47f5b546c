-- Since when workers have met a job whose kind or version they do not know: while a release rolls out, it waits for
-- the workers that do.
ALTER TABLE jobs ADD COLUMN unknown_since timestamptz;
