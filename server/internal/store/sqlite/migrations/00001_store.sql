-- +goose Up

-- Times are microseconds since the epoch, UTC; 0 is none.

-- id is bound into every sealed key; mark is the highest time ever written.
CREATE TABLE store (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    id   TEXT    NOT NULL CHECK (id <> ''),
    mark INTEGER NOT NULL
) STRICT;

-- Each transaction that publishes takes its position by raising n.
CREATE TABLE feed_head (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    epoch TEXT    NOT NULL CHECK (epoch <> ''),
    n     INTEGER NOT NULL CHECK (n >= 0)
) STRICT;

CREATE TABLE fact (
    position   INTEGER NOT NULL CHECK (position > 0),
    kind       INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 4),
    value      TEXT    NOT NULL,
    before_at  INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (position, kind, value)
) STRICT, WITHOUT ROWID;

CREATE INDEX fact_expiry ON fact (expires_at);

CREATE TABLE account (
    id                  TEXT    PRIMARY KEY CHECK (id <> ''),
    username            TEXT    NOT NULL UNIQUE CHECK (username <> ''),
    display_name        TEXT    NOT NULL,
    roles               TEXT    NOT NULL, -- separated by spaces
    password_hash       TEXT    NOT NULL,
    disabled            INTEGER NOT NULL CHECK (disabled IN (0, 1)),
    version             INTEGER NOT NULL CHECK (version > 0),
    created_at          INTEGER NOT NULL,
    updated_at          INTEGER NOT NULL,
    password_changed_at INTEGER NOT NULL
) STRICT;

CREATE TABLE session (
    id              TEXT    PRIMARY KEY CHECK (id <> ''),
    account         TEXT    NOT NULL REFERENCES account (id),
    account_version INTEGER NOT NULL,
    client          TEXT    NOT NULL,
    transport       TEXT    NOT NULL CHECK (transport IN ('body', 'cookie')),
    audience        TEXT    NOT NULL,
    scope           TEXT    NOT NULL,
    device          TEXT    NOT NULL,
    address         TEXT    NOT NULL,
    generation      INTEGER NOT NULL CHECK (generation BETWEEN 1 AND 4294967295),
    mac_key         TEXT    NOT NULL,
    forgiven        INTEGER NOT NULL CHECK (forgiven BETWEEN 0 AND 4294967295),
    token_life      INTEGER NOT NULL, -- microseconds
    created_at      INTEGER NOT NULL,
    rotated_at      INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    ended_at        INTEGER NOT NULL,
    end_reason      TEXT    NOT NULL
) STRICT;

-- A rotation changes no indexed column, so that it writes one page.
CREATE INDEX session_living ON session (account, id) WHERE ended_at = 0;
CREATE INDEX session_ended ON session (ended_at) WHERE ended_at > 0;
CREATE INDEX session_expiry ON session (expires_at);

CREATE TABLE ring (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    version     INTEGER NOT NULL CHECK (version > 0),
    root_key    TEXT    NOT NULL,
    wrapped_key BLOB    NOT NULL
) STRICT;

CREATE TABLE ring_key (
    place      INTEGER PRIMARY KEY, -- the ring's own order
    id         TEXT    NOT NULL,
    purpose    TEXT    NOT NULL,
    algorithm  TEXT    NOT NULL,
    state      TEXT    NOT NULL CHECK (state IN ('announced', 'active', 'retiring', 'revoked')),
    created_at INTEGER NOT NULL,
    active_at  INTEGER NOT NULL,
    retired_at INTEGER NOT NULL,
    gone_at    INTEGER NOT NULL,
    version    INTEGER NOT NULL CHECK (version > 0),
    blob       BLOB    NOT NULL,
    UNIQUE (purpose, id)
) STRICT;

CREATE UNIQUE INDEX ring_key_active ON ring_key (purpose, algorithm) WHERE state = 'active';

-- Events in the order in which they were committed.
CREATE TABLE audit_outbox (
    seq       INTEGER PRIMARY KEY AUTOINCREMENT,
    id        TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    what      BLOB    NOT NULL,
    who       BLOB    NOT NULL,
    what_salt BLOB    NOT NULL CHECK (length(what_salt) = 16),
    who_salt  BLOB    NOT NULL CHECK (length(who_salt) = 16)
) STRICT;
