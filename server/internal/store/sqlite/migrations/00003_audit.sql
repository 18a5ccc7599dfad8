-- +goose Up

-- The chain of audit events. seq has no gaps; who and its salt are NULL, and
-- who_commit is not, where who acted was erased.
CREATE TABLE audit_log (
    seq        INTEGER PRIMARY KEY CHECK (seq > 0),
    id         TEXT    NOT NULL CHECK (length(id) BETWEEN 1 AND 255),
    at         INTEGER NOT NULL,
    what       BLOB    NOT NULL,
    what_salt  BLOB    NOT NULL CHECK (length(what_salt) = 16),
    who        BLOB,
    who_salt   BLOB    CHECK (length(who_salt) = 16),
    who_commit BLOB    CHECK (length(who_commit) = 32),
    link       BLOB    NOT NULL CHECK (length(link) = 32),
    CHECK ((who IS NULL) = (who_salt IS NULL) AND (who IS NULL) = (who_commit IS NOT NULL))
) STRICT;

-- Where the chain stands.
CREATE TABLE audit_head (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    seq  INTEGER NOT NULL CHECK (seq >= 0),
    link BLOB    NOT NULL CHECK (length(link) = 32)
) STRICT;

INSERT INTO audit_head (one, seq, link) VALUES (1, 0, zeroblob(32));
