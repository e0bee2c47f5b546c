-- Failures of before there were groups get one each for their kind and class, so that they are found like others.

WITH grouped AS (
    UPDATE jobs
    SET fingerprint = left(encode(sha256(convert_to(concat_ws(chr(31), kind, error_class, error_code, error_class), 'UTF8')), 'hex'), 16)
    WHERE fingerprint IS NULL AND error_class IS NOT NULL
    RETURNING fingerprint, queue, kind, error_class, error_code
)
INSERT INTO error_groups (fingerprint, queue, kind, error_class, error_code, message)
SELECT DISTINCT fingerprint, queue, kind, error_class, error_code, error_class FROM grouped
ON CONFLICT DO NOTHING;
