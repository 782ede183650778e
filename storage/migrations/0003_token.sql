-- Who may send what: the hash of a bearer token and its scope. NULL = all.

CREATE TABLE token (
    id text COLLATE "C" PRIMARY KEY,
    hash bytea NOT NULL UNIQUE,
    label text NOT NULL,
    pumps text[],
    sites text[],
    types text[],
    replay boolean NOT NULL DEFAULT false,
    created timestamptz NOT NULL DEFAULT now(),
    revoked timestamptz
);
