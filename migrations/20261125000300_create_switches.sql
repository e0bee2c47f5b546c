-- Switches that the platform turns at run time. Appended to, never changed: the newest row of a name holds.

CREATE TABLE switches (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL,
    is_on      boolean NOT NULL,
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL
);
CREATE INDEX switches_newest ON switches (name, id DESC);
