-- +goose Up

-- What is registered: version is raised by every change of an API or a role;
-- issuer is what the server was called when it ran last; longest is the longest
-- life that any token was given, in microseconds.
CREATE TABLE catalog (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    version INTEGER NOT NULL CHECK (version > 0),
    issuer  TEXT    NOT NULL,
    longest INTEGER NOT NULL CHECK (longest >= 0)
) STRICT;

INSERT INTO catalog (one, version, issuer, longest) VALUES (1, 1, '', 0);

CREATE TABLE api (
    audience    TEXT    PRIMARY KEY CHECK (audience <> ''),
    name        TEXT    NOT NULL,
    permissions TEXT    NOT NULL, -- separated by spaces
    life        INTEGER NOT NULL CHECK (life >= 0), -- microseconds; 0 is the server's default
    algorithm   TEXT    NOT NULL, -- '' is the server's default
    is_default  INTEGER NOT NULL CHECK (is_default IN (0, 1)),
    claims      TEXT    NOT NULL, -- a JSON object, or ''
    version     INTEGER NOT NULL CHECK (version > 0)
) STRICT;

CREATE UNIQUE INDEX api_default ON api (is_default) WHERE is_default = 1;

CREATE TABLE role (
    name        TEXT    PRIMARY KEY CHECK (name <> ''),
    description TEXT    NOT NULL,
    permissions TEXT    NOT NULL, -- separated by spaces
    claims      TEXT    NOT NULL, -- a JSON object, or ''
    version     INTEGER NOT NULL CHECK (version > 0)
) STRICT;

CREATE TABLE app (
    id         TEXT    PRIMARY KEY CHECK (id <> ''),
    name       TEXT    NOT NULL CHECK (name <> ''),
    roles      TEXT    NOT NULL, -- separated by spaces
    audiences  TEXT    NOT NULL, -- separated by spaces, in the app's own order
    life       INTEGER NOT NULL CHECK (life >= 0), -- microseconds; 0 is that of the API
    claims     TEXT    NOT NULL, -- a JSON object, or ''
    disabled   INTEGER NOT NULL CHECK (disabled IN (0, 1)),
    version    INTEGER NOT NULL CHECK (version > 0),
    valid_from INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE app_secret (
    app          TEXT    NOT NULL REFERENCES app (id),
    id           TEXT    NOT NULL CHECK (id <> ''),
    hash         BLOB    NOT NULL CHECK (length(hash) = 32), -- SHA-256
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    PRIMARY KEY (app, id)
) STRICT, WITHOUT ROWID;
