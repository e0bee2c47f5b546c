-- In which wire format the photos of an attempt were prepared, and the wrapped key of its face: in the format
-- `sealed` each photo has a key of its own. What is there already was prepared for `software-secure`.

ALTER TABLE attempts
    ADD COLUMN vendor_format text NOT NULL DEFAULT 'software-secure',
    ADD COLUMN face_key text NOT NULL DEFAULT '',
    ADD CONSTRAINT attempts_vendor_format CHECK (vendor_format IN ('software-secure', 'sealed')) NOT VALID;
