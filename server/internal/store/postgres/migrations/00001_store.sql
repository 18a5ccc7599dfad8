-- +goose Up

-- Times are microseconds since the epoch, UTC; 0 is none. Text that is sorted
-- or looked up is compared by its bytes.

-- id is bound into every sealed key; mark is the highest time of the database's
-- clock that was seen.
CREATE TABLE store (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    id   TEXT    NOT NULL CHECK (id <> ''),
    mark BIGINT  NOT NULL
);

-- Each transaction that publishes takes its position by raising n, and holds
-- the row until it has committed.
CREATE TABLE feed_head (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    epoch TEXT    NOT NULL CHECK (epoch <> ''),
    n     BIGINT  NOT NULL CHECK (n >= 0)
);

CREATE TABLE fact (
    position   BIGINT   NOT NULL CHECK (position > 0),
    kind       SMALLINT NOT NULL CHECK (kind BETWEEN 1 AND 4),
    value      TEXT COLLATE "C" NOT NULL,
    before_at  BIGINT   NOT NULL,
    expires_at BIGINT   NOT NULL,
    PRIMARY KEY (position, kind, value)
);

CREATE INDEX fact_expiry ON fact (expires_at);

CREATE TABLE account (
    id                  TEXT COLLATE "C" PRIMARY KEY CHECK (id <> ''),
    username            TEXT COLLATE "C" NOT NULL UNIQUE CHECK (username <> ''),
    display_name        TEXT    NOT NULL,
    roles               TEXT    NOT NULL, -- separated by spaces
    password_hash       TEXT    NOT NULL,
    disabled            BOOLEAN NOT NULL,
    version             BIGINT  NOT NULL CHECK (version > 0),
    created_at          BIGINT  NOT NULL,
    updated_at          BIGINT  NOT NULL,
    password_changed_at BIGINT  NOT NULL
);

-- A rotation changes no indexed column. Room is left in each page, so that the
-- next version of a row finds place beside the last one.
CREATE TABLE session (
    id              TEXT COLLATE "C" PRIMARY KEY CHECK (id <> ''),
    account         TEXT COLLATE "C" NOT NULL REFERENCES account (id),
    account_version BIGINT  NOT NULL,
    client          TEXT    NOT NULL,
    transport       TEXT    NOT NULL CHECK (transport IN ('body', 'cookie')),
    audience        TEXT    NOT NULL,
    scope           TEXT    NOT NULL,
    device          TEXT    NOT NULL,
    address         TEXT    NOT NULL,
    generation      BIGINT  NOT NULL CHECK (generation BETWEEN 1 AND 4294967295),
    mac_key         TEXT    NOT NULL,
    forgiven        BIGINT  NOT NULL CHECK (forgiven BETWEEN 0 AND 4294967295),
    token_life      BIGINT  NOT NULL, -- microseconds
    created_at      BIGINT  NOT NULL,
    rotated_at      BIGINT  NOT NULL,
    expires_at      BIGINT  NOT NULL,
    ended_at        BIGINT  NOT NULL,
    end_reason      TEXT    NOT NULL
) WITH (fillfactor = 70);

CREATE INDEX session_living ON session (account, id) WHERE ended_at = 0;
CREATE INDEX session_ended ON session (ended_at) WHERE ended_at > 0;
CREATE INDEX session_expiry ON session (expires_at);

CREATE TABLE ring (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    version     BIGINT  NOT NULL CHECK (version > 0),
    root_key    TEXT    NOT NULL,
    wrapped_key BYTEA   NOT NULL
);

CREATE TABLE ring_key (
    place      INTEGER PRIMARY KEY, -- the ring's own order
    id         TEXT    NOT NULL,
    purpose    TEXT    NOT NULL,
    algorithm  TEXT    NOT NULL,
    state      TEXT    NOT NULL CHECK (state IN ('announced', 'active', 'retiring', 'revoked')),
    created_at BIGINT  NOT NULL,
    active_at  BIGINT  NOT NULL,
    retired_at BIGINT  NOT NULL,
    gone_at    BIGINT  NOT NULL,
    version    BIGINT  NOT NULL CHECK (version > 0),
    blob       BYTEA   NOT NULL,
    UNIQUE (purpose, id)
);

CREATE UNIQUE INDEX ring_key_active ON ring_key (purpose, algorithm) WHERE state = 'active';

-- Events that wait for their place in the chain. seq is made by the node that
-- writes, from the time, so that no node waits for another to get one.
CREATE TABLE audit_outbox (
    seq       BIGINT NOT NULL,
    id        TEXT COLLATE "C" NOT NULL,
    at        BIGINT NOT NULL,
    what      BYTEA  NOT NULL,
    who       BYTEA  NOT NULL,
    what_salt BYTEA  NOT NULL CHECK (length(what_salt) = 16),
    who_salt  BYTEA  NOT NULL CHECK (length(who_salt) = 16),
    PRIMARY KEY (seq, id)
);
