-- no-transaction
-- Whether an attempt still needs the ID photo of another.
CREATE INDEX CONCURRENTLY attempts_borrowers ON attempts (copy_id_photo_from) WHERE copy_id_photo_from IS NOT NULL;
