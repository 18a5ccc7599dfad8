-- +goose Up

-- status_entry says which token an index of a status list belongs to, until no
-- verifier accepts the token any more.
CREATE TABLE status_entry (
    list       TEXT COLLATE "C" NOT NULL CHECK (list <> ''),
    idx        INTEGER NOT NULL CHECK (idx >= 0),
    token      TEXT COLLATE "C" NOT NULL,
    session    TEXT COLLATE "C" NOT NULL,
    subject    TEXT COLLATE "C" NOT NULL,
    issued_at  BIGINT  NOT NULL,
    expires_at BIGINT  NOT NULL,
    PRIMARY KEY (list, idx)
);

CREATE INDEX status_entry_expiry ON status_entry (expires_at);
