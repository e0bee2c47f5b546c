-- Keys of services and operators. Only a digest is kept: a key is shown once, when it is made.

CREATE TABLE api_keys (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL,
    digest     bytea NOT NULL CONSTRAINT api_keys_digest_unique UNIQUE,
    scopes     text[] NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz
);
