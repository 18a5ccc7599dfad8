-- +goose Up

-- What is registered: version is raised by every change of an API or a role;
-- issuer is what the server was called when it ran last; longest is the longest
-- life that any token was given, in microseconds.
CREATE TABLE catalog (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    version BIGINT  NOT NULL CHECK (version > 0),
    issuer  TEXT    NOT NULL,
    longest BIGINT  NOT NULL CHECK (longest >= 0)
);

INSERT INTO catalog (one, version, issuer, longest) VALUES (1, 1, '', 0);

CREATE TABLE api (
    audience    TEXT COLLATE "C" PRIMARY KEY CHECK (audience <> ''),
    name        TEXT    NOT NULL,
    permissions TEXT    NOT NULL, -- separated by spaces
    life        BIGINT  NOT NULL CHECK (life >= 0), -- microseconds; 0 is the server's default
    algorithm   TEXT    NOT NULL, -- '' is the server's default
    is_default  BOOLEAN NOT NULL,
    claims      TEXT    NOT NULL, -- a JSON object, or ''
    version     BIGINT  NOT NULL CHECK (version > 0)
);

CREATE UNIQUE INDEX api_default ON api (is_default) WHERE is_default;

-- An audience with a slash at its end is no other API than the one without.
CREATE UNIQUE INDEX api_spelling ON api ((regexp_replace(audience, '/$', '')));

CREATE TABLE role (
    name        TEXT COLLATE "C" PRIMARY KEY CHECK (name <> ''),
    description TEXT   NOT NULL,
    permissions TEXT   NOT NULL, -- separated by spaces
    claims      TEXT   NOT NULL, -- a JSON object, or ''
    version     BIGINT NOT NULL CHECK (version > 0)
);

CREATE TABLE app (
    id         TEXT COLLATE "C" PRIMARY KEY CHECK (id <> ''),
    name       TEXT    NOT NULL CHECK (name <> ''),
    roles      TEXT    NOT NULL, -- separated by spaces
    audiences  TEXT    NOT NULL, -- separated by spaces, in the app's own order
    life       BIGINT  NOT NULL CHECK (life >= 0), -- microseconds; 0 is that of the API
    claims     TEXT    NOT NULL, -- a JSON object, or ''
    disabled   BOOLEAN NOT NULL,
    version    BIGINT  NOT NULL CHECK (version > 0),
    valid_from BIGINT  NOT NULL,
    created_at BIGINT  NOT NULL,
    updated_at BIGINT  NOT NULL
);

CREATE TABLE app_secret (
    app          TEXT COLLATE "C" NOT NULL REFERENCES app (id),
    id           TEXT COLLATE "C" NOT NULL CHECK (id <> ''),
    hash         BYTEA  NOT NULL CHECK (length(hash) = 32), -- SHA-256
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    PRIMARY KEY (app, id)
);
