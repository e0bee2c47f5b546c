-- no-transaction
-- Faces that outlived their purpose, oldest decision first.
CREATE INDEX CONCURRENTLY attempts_kept_faces ON attempts (updated_at, id) WHERE face_object IS NOT NULL AND status IN ('approved', 'denied');
