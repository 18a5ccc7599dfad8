-- +goose Up

-- Each start of a node, and so each life of a copy of this database, tells the
-- positions from the first that it takes in numbers of its own: so much is added
-- to those after this one, at least the time in microseconds.
CREATE TABLE feed_start (
    after INTEGER PRIMARY KEY CHECK (after >= 0),
    added INTEGER NOT NULL CHECK (added >= 0)
) STRICT;
