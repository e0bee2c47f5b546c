-- no-transaction
-- Uploads that wait, by the master key under which they are sealed.
CREATE INDEX CONCURRENTLY attempts_sealed_uploads ON attempts (upload_master_key, id) WHERE face_upload IS NOT NULL OR photo_id_upload IS NOT NULL;
