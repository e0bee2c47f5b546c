-- Under which master key the uploads of an attempt are sealed, so that it can be counted what each key is needed for. Null: a
-- release that did not note it stored them, or they are gone.

ALTER TABLE attempts ADD COLUMN upload_master_key text;
