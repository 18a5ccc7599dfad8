-- +goose Up

-- From a fact to the entries that it concerns.
CREATE INDEX status_entry_session ON status_entry (session) WHERE session <> '';
CREATE INDEX status_entry_app ON status_entry (subject) WHERE session = '';
