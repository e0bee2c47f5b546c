-- When an api key was last used, to the minute: whether its program has gone over to another.

ALTER TABLE api_keys ADD COLUMN last_used_at timestamptz;
