-- +goose Up

-- status_entry says which token an index of a status list belongs to, until no
-- verifier accepts the token any more.
CREATE TABLE status_entry (
    list       TEXT    NOT NULL CHECK (list <> ''),
    idx        INTEGER NOT NULL CHECK (idx >= 0),
    token      TEXT    NOT NULL,
    session    TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    issued_at  INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (list, idx)
) STRICT, WITHOUT ROWID;

CREATE INDEX status_entry_expiry ON status_entry (expires_at);
