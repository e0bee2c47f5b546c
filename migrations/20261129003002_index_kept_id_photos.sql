-- no-transaction
-- ID photos that outlived their purpose, oldest decision first.
CREATE INDEX CONCURRENTLY attempts_kept_id_photos ON attempts (updated_at, id) WHERE photo_id_object IS NOT NULL AND status IN ('approved', 'denied');
