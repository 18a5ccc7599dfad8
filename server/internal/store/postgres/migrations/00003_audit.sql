-- +goose Up

-- The chain of audit events. seq has no gaps; who and its salt are NULL, and
-- who_commit is not, where who acted was erased.
CREATE TABLE audit_log (
    seq        BIGINT PRIMARY KEY CHECK (seq > 0),
    id         TEXT   NOT NULL CHECK (length(id) BETWEEN 1 AND 255),
    at         BIGINT NOT NULL,
    what       BYTEA  NOT NULL,
    what_salt  BYTEA  NOT NULL CHECK (length(what_salt) = 16),
    who        BYTEA,
    who_salt   BYTEA  CHECK (length(who_salt) = 16),
    who_commit BYTEA  CHECK (length(who_commit) = 32),
    link       BYTEA  NOT NULL CHECK (length(link) = 32),
    CHECK ((who IS NULL) = (who_salt IS NULL) AND (who IS NULL) = (who_commit IS NOT NULL))
);

-- Where the chain stands. Who appends holds the row.
CREATE TABLE audit_head (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    seq  BIGINT  NOT NULL CHECK (seq >= 0),
    link BYTEA   NOT NULL CHECK (length(link) = 32)
);

INSERT INTO audit_head (one, seq, link) VALUES (1, 0, decode(repeat('00', 32), 'hex'));
